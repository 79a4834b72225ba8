//! What the user decides about registries: a part of `cove settings`.

use cove_proto::v1::{RegistryList, RegistrySettings, UpdateRegistrySettingsRequest};
use serde::Serialize;

use crate::output::Paint;

/// Options of `cove settings` about registries.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct Options {
    /// Address that is asked before Docker Hub, such as https://mirror.example; more in their order; none with an empty one.
    #[arg(long, value_name = "ADDRESS")]
    registry_mirror: Vec<String>,
    /// Registry that needs no certificate, such as host:5000 or 10.0.0.0/8; more at will; none with an empty one.
    #[arg(long, value_name = "REGISTRY")]
    insecure_registry: Vec<String>,
    /// How many layers come at once.
    #[arg(long, value_name = "NUMBER")]
    concurrent_downloads: Option<u32>,
    /// How many layers go at once.
    #[arg(long, value_name = "NUMBER")]
    concurrent_uploads: Option<u32>,
    /// Folder of registries' certificates, in docker's order; docker's own with an empty one.
    #[arg(long, value_name = "FOLDER")]
    registry_certificates: Option<String>,
    /// Proxy by which registries are reached, such as http://proxy:3128 or socks5://proxy; the environment's or the system's
    /// with an empty one.
    #[arg(long, value_name = "ADDRESS")]
    registry_proxy: Option<String>,
    /// Host, domain or network that is reached without the proxy; more at will; none with an empty one.
    #[arg(long, value_name = "HOST")]
    registry_no_proxy: Vec<String>,
}

/// The settings for programs.
#[derive(Serialize)]
pub(crate) struct Settings {
    mirrors: Vec<String>,
    insecure: Vec<String>,
    concurrent_downloads: u32,
    concurrent_uploads: u32,
    certificates: String,
    proxy: String,
    no_proxy: Vec<String>,
}

impl From<RegistrySettings> for Settings {
    fn from(settings: RegistrySettings) -> Self {
        let RegistrySettings {
            mirrors,
            insecure,
            concurrent_downloads,
            concurrent_uploads,
            certificates,
            proxy,
            no_proxy,
        } = settings;
        Self { mirrors, insecure, concurrent_downloads, concurrent_uploads, certificates, proxy, no_proxy }
    }
}

impl Options {
    /// `None` if nothing is to be changed.
    pub(crate) fn change(&self, reset: bool) -> Option<UpdateRegistrySettingsRequest> {
        let list = |given: &[String]| {
            let values = given.iter().filter(|value| !value.is_empty()).cloned().collect();
            (!given.is_empty()).then_some(RegistryList { values })
        };
        let request = UpdateRegistrySettingsRequest {
            mirrors: list(&self.registry_mirror),
            insecure: list(&self.insecure_registry),
            concurrent_downloads: self.concurrent_downloads,
            concurrent_uploads: self.concurrent_uploads,
            certificates: self.registry_certificates.clone(),
            reset,
            proxy: self.registry_proxy.clone(),
            no_proxy: list(&self.registry_no_proxy),
        };
        (request != UpdateRegistrySettingsRequest::default()).then_some(request)
    }
}

/// The settings for people.
pub(crate) fn text(settings: &RegistrySettings, paint: Paint) -> String {
    let line = |name: &str, value: &str| format!("  {}{value}\n", paint.faint(&format!("{name:<12}")));
    let list = |values: &[String]| if values.is_empty() { "none".to_owned() } else { values.join(", ") };
    let mut text = line("mirrors", &list(&settings.mirrors));
    text += &line("insecure", &list(&settings.insecure));
    text += &line("layers", &format!("{} down, {} up", settings.concurrent_downloads, settings.concurrent_uploads));
    if !settings.certificates.is_empty() {
        text += &line("certs", &settings.certificates);
    }
    if !settings.proxy.is_empty() {
        text += &line("proxy", &settings.proxy);
        text += &line("no proxy", &list(&settings.no_proxy));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_given_is_asked_for_and_an_empty_entry_empties_a_list() {
        assert_eq!(Options::default().change(false), None);
        let options = Options { registry_mirror: vec![String::new()], ..Options::default() };
        let change = options.change(false).unwrap();
        assert_eq!(change.mirrors, Some(RegistryList::default()));
        assert_eq!(change.insecure, None);
        assert!(Options::default().change(true).unwrap().reset);
    }

    #[test]
    fn each_setting_that_is_there_has_a_line() {
        let settings = RegistrySettings {
            mirrors: vec!["http://a".into(), "http://b".into()],
            concurrent_downloads: 3,
            concurrent_uploads: 5,
            certificates: "/c".into(),
            ..RegistrySettings::default()
        };
        let four =
            "  mirrors     http://a, http://b\n  insecure    none\n  layers      3 down, 5 up\n  certs       /c\n";
        assert_eq!(text(&settings, Paint::plain()), four);
        let behind = RegistrySettings { proxy: "http://p".into(), no_proxy: vec!["x".into()], ..settings };
        let six = format!("{four}  proxy       http://p\n  no proxy    x\n");
        assert_eq!(text(&behind, Paint::plain()), six);
    }
}
