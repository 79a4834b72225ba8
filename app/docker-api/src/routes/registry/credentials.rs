//! `X-Registry-Auth`: who asks, as JSON in base64 for addresses. Clients send it with every pull and push; what it leaves
//! out is nobody, and not who has logged in on this computer: the client has looked that up.

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use cove_proto::v1::RegistryCredentials;
use serde_json::Value;

use crate::call::Call;
use crate::error::Error;

const HEADER: &str = "X-Registry-Auth";

/// With and without padding: clients do both.
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Who asks.
pub(in crate::routes) fn credentials(call: &Call) -> Result<RegistryCredentials, Error> {
    let header = call.headers.get(HEADER).map(http::HeaderValue::as_bytes).unwrap_or_default();
    decoded(header).map_err(|why| Error::BadRequest(format!("invalid {HEADER} header: {why}")))
}

fn decoded(header: &[u8]) -> Result<RegistryCredentials, String> {
    if header.is_empty() {
        return Ok(RegistryCredentials::default());
    }
    // The first clients used the other alphabet.
    let json = URL_SAFE.decode(header).or_else(|_| STANDARD.decode(header)).map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    of(&value)
}

/// Credentials as JSON has them, in the header and in the body of a login.
pub(super) fn of(value: &Value) -> Result<RegistryCredentials, String> {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let mut credentials = RegistryCredentials {
        username: text("username"),
        password: text("password"),
        identity_token: text("identitytoken"),
        registry_token: text("registrytoken"),
    };
    let both = text("auth");
    if !both.is_empty() && credentials.username.is_empty() {
        let decoded = STANDARD.decode(both).map_err(|error| error.to_string())?;
        let decoded = String::from_utf8(decoded).map_err(|error| error.to_string())?;
        let (username, password) = decoded.split_once(':').ok_or("no colon in auth")?;
        (credentials.username, credentials.password) = (username.to_owned(), password.to_owned());
    }
    Ok(credentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_read_in_every_form() {
        assert_eq!(decoded(b"").unwrap(), RegistryCredentials::default());
        assert_eq!(decoded(b"e30=").unwrap(), RegistryCredentials::default());
        assert_eq!(decoded(b"e30").unwrap(), RegistryCredentials::default());
        let me = RegistryCredentials { username: "me".into(), password: "a:b?>".into(), ..Default::default() };
        let json = r#"{"username":"me","password":"a:b?>","serveraddress":"host"}"#;
        assert_eq!(decoded(URL_SAFE.encode(json).as_bytes()).unwrap(), me);
        assert_eq!(decoded(STANDARD.encode(json).as_bytes()).unwrap(), me);
        let auth = format!(r#"{{"auth":"{}"}}"#, STANDARD.encode("me:a:b?>"));
        assert_eq!(decoded(URL_SAFE.encode(auth).as_bytes()).unwrap(), me);
        assert!(decoded(b"!").is_err());
        assert!(decoded(b"eA").is_err());
    }
}
