//! What a test returns. Called by every test that uses `?`.

/// The outcome of a test: `?` on an error fails it at that line, as an assertion does.
///
/// A test that only returned its error would drop its fixtures before the error is printed; one that panics for work
/// left behind (`TestBed`) would then be all that is shown. So the error is shown where it is met, and fixtures that
/// are dropped meanwhile know that the test has failed already (`std::thread::panicking`).
pub type TestResult = Result<(), TestFailure>;

/// The error of a [`TestResult`]; there is never a value of it, since making one panics.
#[derive(Debug)]
pub enum TestFailure {}

impl<E: Into<anyhow::Error>> From<E> for TestFailure {
    /// Panics with the error and all its causes, at the line of the `?`.
    #[track_caller]
    fn from(error: E) -> Self {
        // Without anyhow's own backtrace: the panic has one.
        let error = error.into();
        let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
        panic!("{}", chain.join("\n  because: "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Mutex;

    #[test]
    fn an_error_is_shown_with_its_causes_and_fixtures_know_of_it() {
        struct PanicProbe<'a>(&'a Mutex<Option<bool>>);
        impl Drop for PanicProbe<'_> {
            fn drop(&mut self) {
                *self.0.lock().unwrap() = Some(std::thread::panicking());
            }
        }
        let dropped = Mutex::new(None);
        let test = || -> TestResult {
            let _fixture = PanicProbe(&dropped);
            Err::<(), _>(std::io::Error::other("cut off")).context("asking")?;
            Ok(())
        };
        let panic = catch_unwind(AssertUnwindSafe(test)).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(
            text.contains("asking") && text.contains("cut off"),
            "{text}"
        );
        assert_eq!(*dropped.lock().unwrap(), Some(true));
    }
}
