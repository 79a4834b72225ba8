//! `GetRegistrySettings` and `UpdateRegistrySettings`.

use std::path::PathBuf;

use cove_proto::v1::{
    GetRegistrySettingsResponse, RegistrySettings, UpdateRegistrySettingsRequest, UpdateRegistrySettingsResponse,
};
use cove_registry::{ErrorKind, RegistrySettings as Settings};
use tonic::Status;

use super::RegistryRpc;
use crate::rpc::error::chain;

impl RegistryRpc {
    pub(super) fn settings(&self) -> GetRegistrySettingsResponse {
        let path = self.transfers.settings_file();
        let (settings, problem) = match Settings::load(path) {
            Ok(settings) => (settings, String::new()),
            Err(problem) => (Settings::default(), chain(&problem)),
        };
        GetRegistrySettingsResponse { settings: Some(encode(settings)), problem, path: path.display().to_string() }
    }

    pub(super) async fn update_settings(
        &self,
        request: UpdateRegistrySettingsRequest,
    ) -> Result<UpdateRegistrySettingsResponse, Status> {
        let _alone = self.changing.lock().await;
        let present = if request.reset { Settings::default() } else { self.transfers.settings()? };
        let wanted = changed(present, request);
        wanted.save(self.transfers.settings_file()).map_err(|failed| match failed.kind() {
            ErrorKind::Invalid => Status::invalid_argument(chain(&failed)),
            _ => Status::internal(chain(&failed)),
        })?;
        Ok(UpdateRegistrySettingsResponse { settings: Some(encode(wanted)) })
    }
}

/// What is given changes, the rest stays.
fn changed(present: Settings, request: UpdateRegistrySettingsRequest) -> Settings {
    Settings {
        mirrors: request.mirrors.map_or(present.mirrors, |list| list.values),
        insecure: request.insecure.map_or(present.insecure, |list| list.values),
        concurrent_downloads: request.concurrent_downloads.unwrap_or(present.concurrent_downloads),
        concurrent_uploads: request.concurrent_uploads.unwrap_or(present.concurrent_uploads),
        certificates: match request.certificates {
            Some(folder) => (!folder.is_empty()).then(|| PathBuf::from(folder)),
            None => present.certificates,
        },
        proxy: request.proxy.unwrap_or(present.proxy),
        no_proxy: request.no_proxy.map_or(present.no_proxy, |list| list.values),
    }
}

fn encode(settings: Settings) -> RegistrySettings {
    let Settings { mirrors, insecure, concurrent_downloads, concurrent_uploads, certificates, proxy, no_proxy } =
        settings;
    let certificates = certificates.map(|folder| folder.display().to_string()).unwrap_or_default();
    RegistrySettings { mirrors, insecure, concurrent_downloads, concurrent_uploads, certificates, proxy, no_proxy }
}

#[cfg(test)]
mod tests {
    use cove_proto::v1::RegistryList;

    use super::*;

    #[test]
    fn what_is_given_changes_and_the_rest_stays() {
        let present = Settings { mirrors: vec!["http://m".into()], ..Settings::default() };
        let insecure = Some(RegistryList { values: vec!["host".into()] });
        let wanted = changed(present, UpdateRegistrySettingsRequest { insecure, ..Default::default() });
        assert_eq!((wanted.mirrors, wanted.insecure), (vec!["http://m".to_owned()], vec!["host".to_owned()]));
        let present = Settings { proxy: "http://p".into(), no_proxy: vec!["x".into()], ..Settings::default() };
        let none = UpdateRegistrySettingsRequest { proxy: Some(String::new()), ..Default::default() };
        let wanted = changed(present, none);
        assert_eq!((wanted.proxy, wanted.no_proxy), (String::new(), vec!["x".to_owned()]));
        let present = Settings { certificates: Some("/c".into()), ..Settings::default() };
        let back = UpdateRegistrySettingsRequest { certificates: Some(String::new()), ..Default::default() };
        assert_eq!(changed(present, back).certificates, None);
    }
}
