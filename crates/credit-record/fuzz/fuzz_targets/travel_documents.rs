//! Passports and passes. Run by `cargo fuzz run travel_documents`.
#![no_main]

use credit_record::id::{HkMacaoPass, Passport, TaiwanPass};
use credit_record_fuzz::assert_refusal_holds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Passport::parse(text) {
        Ok(passport) => {
            assert_eq!(passport.as_str(), text);
            assert_eq!(passport.masked().len(), text.len());
        }
        Err(error) => assert_refusal_holds(text, &error, |_| false),
    }
    match HkMacaoPass::parse(text) {
        Ok(pass) => assert_eq!(pass.permanent_number(), &text[..9]),
        Err(error) => assert_refusal_holds(text, &error, |better| HkMacaoPass::parse(better).is_ok()),
    }
    match TaiwanPass::parse(text) {
        Ok(pass) => assert_eq!(pass.masked().len(), text.len()),
        Err(error) => assert_refusal_holds(text, &error, |better| TaiwanPass::parse(better).is_ok()),
    }
});
