//! Signed tokens: EdDSA JWTs (or whatever algorithm an issuer's JWKS names, asymmetric only),
//! checked against the injected clock. `DevelopmentIssuer` makes them for the demo, the tests and
//! `credit token`; production names the JWKS of its own OIDC issuer.

use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use credit_record::PersonDocument;
use ed25519_dalek::{
    SigningKey,
    pkcs8::{
        DecodePrivateKey, EncodePrivateKey, spki::EncodePublicKey, spki::der::pem::LineEnding,
    },
};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    jwk::{Jwk, JwkSet},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{PersonClaim, Principal, Role};

/// How callers are known.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityConfig {
    /// Accepted `iss` of tokens.
    pub issuer: String,
    /// Accepted `aud` of tokens.
    pub audience: String,
    /// The issuer's public key set: a JWKS file (`*.json`) or one Ed25519 public key (`*.pem`).
    pub keys_file: PathBuf,
}

/// Why the verifier cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The key file cannot be read.
    #[error("identity.keys_file {path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The key file holds no usable key.
    #[error("identity.keys_file {path} holds no usable key: {detail}")]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a JWT, a wrong signature, an unknown key or a forbidden algorithm.
    #[error("the token's signature or form is not valid")]
    Invalid,
    /// Past `exp`.
    #[error("the token has expired")]
    Expired,
    /// Before `nbf`.
    #[error("the token is not valid yet")]
    NotYet,
    /// Of another issuer or for another audience.
    #[error("the token is from another issuer or for another audience")]
    Foreign,
}

/// The claims of a token.
#[derive(Clone, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer.
    pub iss: String,
    /// Audience.
    pub aud: String,
    /// Account.
    pub sub: String,
    /// Expiry, seconds since 1970.
    pub exp: i64,
    /// Not before, seconds since 1970.
    #[serde(default)]
    pub nbf: i64,
    /// Credit code of the organisation; empty for persons.
    #[serde(default)]
    pub org: String,
    /// Roles.
    pub roles: Vec<Role>,
    /// The natural person, for subjects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonClaim>,
}

/// Capacity of the cache of verified tokens: a busy caller costs one signature check, not one a call.
const TOKEN_CACHE_CAPACITY: usize = 4096;

struct CachedPrincipal {
    principal: Arc<Principal>,
    not_before: i64,
    expires: i64,
}

/// Checks tokens.
pub struct TokenVerifier {
    issuer: String,
    audience: String,
    keys: Vec<(Option<String>, Algorithm, DecodingKey)>,
    cache: Mutex<HashMap<String, CachedPrincipal>>,
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({}, {} keys)", self.issuer, self.keys.len())
    }
}

impl TokenVerifier {
    /// Reads the keys that the configuration names.
    pub fn from_config(config: &IdentityConfig) -> Result<Self, IdentityError> {
        let path = config.keys_file.clone();
        let text = std::fs::read_to_string(&path).map_err(|source| IdentityError::Read {
            path: path.clone(),
            source,
        })?;
        let keys = parse_keys(&text).map_err(|detail| IdentityError::Keys { path, detail })?;
        Ok(Self {
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            keys,
            cache: Mutex::default(),
        })
    }

    /// A verifier of one development issuer's tokens.
    pub fn for_development(issuer: &DevelopmentIssuer) -> Result<Self, TokenError> {
        Ok(Self {
            issuer: issuer.issuer.clone(),
            audience: issuer.audience.clone(),
            keys: parse_keys(&issuer.public_pem()?).map_err(|_| TokenError::Invalid)?,
            cache: Mutex::default(),
        })
    }

    /// The principal of a token at `now`.
    pub fn verify(&self, token: &str, now: OffsetDateTime) -> Result<Arc<Principal>, TokenError> {
        let today = legal_clock::shanghai_date(now);
        let now = now.unix_timestamp();
        if let Ok(seen) = self.cache.lock()
            && let Some(known) = seen.get(token)
        {
            in_time(known.not_before, known.expires, now)?;
            return Ok(known.principal.clone());
        }
        let claims = self.claims(token)?;
        in_time(claims.nbf, claims.exp, now)?;
        let principal = Arc::new(Principal {
            account: claims.sub,
            organisation: claims.org,
            roles: claims.roles,
            person: claims
                .person
                .map(|claim| PersonDocument::new(&claim.kind, &claim.number, today)),
        });
        if let Ok(mut seen) = self.cache.lock() {
            if seen.len() >= TOKEN_CACHE_CAPACITY {
                seen.clear();
            }
            let known = CachedPrincipal {
                principal: principal.clone(),
                not_before: claims.nbf,
                expires: claims.exp,
            };
            seen.insert(token.to_owned(), known);
        }
        Ok(principal)
    }

    fn claims(&self, token: &str) -> Result<Claims, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        let candidates = self.keys.iter().filter(|(id, algorithm, _)| {
            *algorithm == header.alg && (header.kid.is_none() || id.is_none() || *id == header.kid)
        });
        for (_, algorithm, key) in candidates {
            let mut rules = Validation::new(*algorithm);
            // Times are checked against the injected clock, issuer and audience below with
            // errors of their own.
            rules.validate_exp = false;
            rules.validate_aud = false;
            rules.required_spec_claims.clear();
            if let Ok(data) = jsonwebtoken::decode::<Claims>(token, key, &rules) {
                let claims = data.claims;
                if claims.iss != self.issuer || claims.aud != self.audience {
                    return Err(TokenError::Foreign);
                }
                return Ok(claims);
            }
        }
        Err(TokenError::Invalid)
    }
}

fn in_time(not_before: i64, expires: i64, now: i64) -> Result<(), TokenError> {
    if now >= expires {
        return Err(TokenError::Expired);
    }
    if now < not_before {
        return Err(TokenError::NotYet);
    }
    Ok(())
}

fn parse_keys(text: &str) -> Result<Vec<(Option<String>, Algorithm, DecodingKey)>, String> {
    if text.trim_start().starts_with("-----BEGIN") {
        let key = DecodingKey::from_ed_pem(text.as_bytes()).map_err(|e| e.to_string())?;
        return Ok(vec![(None, Algorithm::EdDSA, key)]);
    }
    let set: JwkSet = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let keys: Vec<_> = set.keys.iter().filter_map(asymmetric).collect();
    if keys.is_empty() {
        return Err("no asymmetric signature key".to_owned());
    }
    Ok(keys)
}

/// A key of the set, if it is one whose signatures only the issuer can make. A shared secret in a
/// public key set would let every reader sign.
fn asymmetric(jwk: &Jwk) -> Option<(Option<String>, Algorithm, DecodingKey)> {
    let algorithm = match jwk.common.key_algorithm?.to_string().as_str() {
        "EdDSA" => Algorithm::EdDSA,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        _ => return None,
    };
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some((jwk.common.key_id.clone(), algorithm, key))
}

/// Makes tokens for development, demo and tests. Production never holds its key.
#[derive(Clone)]
pub struct DevelopmentIssuer {
    issuer: String,
    audience: String,
    key: SigningKey,
}

impl fmt::Debug for DevelopmentIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DevelopmentIssuer({})", self.issuer)
    }
}

impl DevelopmentIssuer {
    /// A fresh key.
    pub fn generate(issuer: &str, audience: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            key: SigningKey::from_bytes(&rand::random()),
        }
    }

    /// From a private key in PKCS#8 PEM.
    pub fn from_pem(issuer: &str, audience: &str, pem: &str) -> Result<Self, TokenError> {
        Ok(Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            key: SigningKey::from_pkcs8_pem(pem).map_err(|_| TokenError::Invalid)?,
        })
    }

    /// The private key in PKCS#8 PEM.
    pub fn private_pem(&self) -> Result<String, TokenError> {
        self.key
            .to_pkcs8_pem(LineEnding::LF)
            .map(|pem| pem.to_string())
            .map_err(|_| TokenError::Invalid)
    }

    /// The public key in PEM, for `identity.keys_file`.
    pub fn public_pem(&self) -> Result<String, TokenError> {
        self.key
            .verifying_key()
            .to_public_key_pem(LineEnding::LF)
            .map_err(|_| TokenError::Invalid)
    }

    /// A token for an organisation (or, with `person`, for a natural person) until `expires`.
    pub fn token(
        &self,
        account: &str,
        organisation: &str,
        roles: &[Role],
        person: Option<PersonClaim>,
        expires: OffsetDateTime,
    ) -> Result<String, TokenError> {
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: account.to_owned(),
            exp: expires.unix_timestamp(),
            nbf: 0,
            org: organisation.to_owned(),
            roles: roles.to_vec(),
            person,
        };
        let der = self.key.to_pkcs8_der().map_err(|_| TokenError::Invalid)?;
        let key = EncodingKey::from_ed_der(der.as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &key)
            .map_err(|_| TokenError::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    fn issuer() -> DevelopmentIssuer {
        DevelopmentIssuer::generate("https://id.example", "credit")
    }

    fn now() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap()
    }

    fn token(issuer: &DevelopmentIssuer, expires: OffsetDateTime) -> String {
        let roles = [Role::Provider];
        issuer
            .token("desk-1", "11430100006123458R", &roles, None, expires)
            .unwrap()
    }

    #[test]
    fn a_good_token_gives_its_principal_until_it_expires() {
        let issuer = issuer();
        let verifier = TokenVerifier::for_development(&issuer).unwrap();
        let token = token(&issuer, now() + Duration::hours(1));
        // Twice: the second answer comes from memory and must obey the clock too.
        for _ in 0..2 {
            let principal = verifier.verify(&token, now()).unwrap();
            assert_eq!(principal.organisation, "11430100006123458R");
            assert!(principal.has_role(Role::Provider) && !principal.has_role(Role::CreditOffice));
        }
        let later = now() + Duration::hours(1);
        assert_eq!(verifier.verify(&token, later), Err(TokenError::Expired));
    }

    #[test]
    fn forged_foreign_and_unsigned_tokens_are_refused() {
        let verifier = TokenVerifier::for_development(&issuer()).unwrap();
        let other = token(&issuer(), now() + Duration::hours(1));
        assert_eq!(verifier.verify(&other, now()), Err(TokenError::Invalid));
        assert_eq!(verifier.verify("x.y.z", now()), Err(TokenError::Invalid));
        let issuer = issuer();
        let verifier = TokenVerifier::for_development(&issuer).unwrap();
        let stranger = DevelopmentIssuer::from_pem(
            "https://evil.example",
            "credit",
            &issuer.private_pem().unwrap(),
        )
        .unwrap();
        let foreign = token(&stranger, now() + Duration::hours(1));
        assert_eq!(verifier.verify(&foreign, now()), Err(TokenError::Foreign));
        // The signature of one token under the claims of another.
        let good = token(&issuer, now() + Duration::hours(1));
        let longer = token(&issuer, now() + Duration::hours(9));
        let (head, _) = longer.rsplit_once('.').unwrap();
        let (_, signature) = good.rsplit_once('.').unwrap();
        let mixed = format!("{head}.{signature}");
        assert_eq!(verifier.verify(&mixed, now()), Err(TokenError::Invalid));
    }
}
