//! Whether a registry knows somebody.

use cove_names::Reference;
use http::{StatusCode, header::AUTHORIZATION};

use super::{
    Credentials, bearer,
    tokens::{self, Wanted},
};
use crate::{ErrorKind, RegistrySettings};
use crate::{
    endpoints::{self, Endpoint},
    error::RegistryError,
    registries::Registries,
    repository, transport,
};

impl Registries {
    /// Asks the registry of this name whether it knows the credentials; gives a token that takes the place of the
    /// password, or an empty one if the registry has none to give.
    ///
    /// # Errors
    /// It does not know them, or cannot be asked.
    pub async fn login(
        &self,
        name: &Reference,
        credentials: &Credentials,
        settings: &RegistrySettings,
    ) -> Result<String, RegistryError> {
        let mut last = RegistryError::Malformed("no place to ask".to_owned());
        for place in endpoints::to_push(name.domain(), settings) {
            match self.login_at(&place, credentials, settings).await {
                // An insecure registry may speak no TLS.
                Err(error) if error.kind() == ErrorKind::Unreachable => last = error,
                known => return known,
            }
        }
        Err(last)
    }

    async fn login_at(
        &self,
        place: &Endpoint,
        credentials: &Credentials,
        settings: &RegistrySettings,
    ) -> Result<String, RegistryError> {
        let client = self.client(place, settings)?.usual;
        let challenges = repository::ping(&client, &place.base).await?;
        let url = format!("{}/v2/", place.base);
        let mut request = client.get(&url);
        let mut identity = String::new();
        if let Some(challenge) = challenges.iter().find(|challenge| challenge.scheme == "bearer") {
            let wanted = Wanted::of(challenge, &[], credentials);
            let token = tokens::fetch(&client, &wanted, true).await.map_err(|error| of_login(&url, error))?;
            identity = token.refresh_token.clone();
            if let Some(value) = bearer(token.access()) {
                request = request.header(AUTHORIZATION, value);
            }
        } else if !challenges.is_empty()
            && let Some(basic) = credentials.basic()
        {
            request = request.header(AUTHORIZATION, basic);
        }
        let answer = transport::send(request).await?;
        match answer.status() {
            StatusCode::OK => Ok(identity),
            status => Err(RegistryError::LoginRefused { url, status: status.to_string() }),
        }
    }
}

/// dockerd names the address that it was about to ask.
fn of_login(url: &str, error: RegistryError) -> RegistryError {
    match error {
        RegistryError::Refused(refusal) => {
            let message = format!("Get \"{url}\": {refusal}");
            RegistryError::Refused(crate::error::Refusal { code: String::new(), message, ..refusal })
        }
        other => other,
    }
}
