//! `cove net settings`.

use cove_proto::v1::{EgressList, EgressSettings, GetEgressSettingsRequest, UpdateEgressSettingsRequest};
use serde::Serialize;

use crate::{
    engine::Engine,
    failure::Outcome,
    output::{self, Format, Paint},
    quantities,
};

/// Arguments of `cove net settings`. Without any, the settings are shown.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Arguments {
    /// Address or block, such as 10.0.0.0/8, that no container reaches; more at will; none with an empty one.
    #[arg(long, value_name = "ADDRESS")]
    deny: Vec<String>,
    /// Whether containers reach this computer's loopback, as host.docker.internal.
    #[arg(long, value_name = "ON|OFF", value_parser = quantities::on_or_off)]
    host: Option<bool>,
    /// Proxy for all TCP of containers: http://... or socks5://...; that of ALL_PROXY with an empty one, or none.
    #[arg(long, value_name = "ADDRESS")]
    proxy: Option<String>,
    /// Address or block that is reached without the proxy; more at will; none with an empty one.
    #[arg(long, value_name = "ADDRESS")]
    no_proxy: Vec<String>,
}

#[derive(Serialize)]
struct Shown {
    denied: Vec<String>,
    host: bool,
    proxy: String,
    no_proxy: Vec<String>,
}

/// Shows or changes the settings.
pub(super) async fn run(arguments: &Arguments, format: Format) -> Outcome {
    let mut egress = Engine::reach().await?.egress();
    let settings = match change(arguments) {
        Some(change) => egress.update_egress_settings(change).await?.into_inner().settings,
        None => egress.get_egress_settings(GetEgressSettingsRequest {}).await?.into_inner().settings,
    };
    let settings = settings.unwrap_or_default();
    match format {
        Format::Text => output::text(&text(&settings, Paint::of_stdout()))?,
        Format::Json => {
            let EgressSettings { denied, host_denied, proxy, no_proxy } = settings;
            output::json(&Shown { denied, host: !host_denied, proxy, no_proxy })?;
        }
    }
    Ok(0)
}

/// `None` if nothing is to be changed.
fn change(arguments: &Arguments) -> Option<UpdateEgressSettingsRequest> {
    let list = |given: &[String]| {
        let values = given.iter().filter(|value| !value.is_empty()).cloned().collect();
        (!given.is_empty()).then_some(EgressList { values })
    };
    let request = UpdateEgressSettingsRequest {
        denied: list(&arguments.deny),
        host_denied: arguments.host.map(|reached| !reached),
        proxy: arguments.proxy.clone(),
        no_proxy: list(&arguments.no_proxy),
    };
    (request != UpdateEgressSettingsRequest::default()).then_some(request)
}

fn text(settings: &EgressSettings, paint: Paint) -> String {
    let line = |name: &str, value: &str| format!("  {}{value}\n", paint.faint(&format!("{name:<12}")));
    let list = |values: &[String]| if values.is_empty() { "none".to_owned() } else { values.join(", ") };
    let proxy = if settings.proxy.is_empty() { "as ALL_PROXY says" } else { &settings.proxy };
    let host = if settings.host_denied { "off" } else { "on" };
    [
        line("denied", &list(&settings.denied)),
        line("host", host),
        line("proxy", proxy),
        line("no proxy", &list(&settings.no_proxy)),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_given_is_asked_for() {
        assert_eq!(change(&Arguments::default()), None);
        let given = Arguments { deny: vec![String::new()], host: Some(false), ..Arguments::default() };
        let asked = change(&given).unwrap();
        assert_eq!((asked.denied, asked.host_denied, asked.proxy), (Some(EgressList::default()), Some(true), None));
    }

    #[test]
    fn settings_are_four_lines() {
        let settings = EgressSettings { denied: vec!["10.0.0.0/8".into()], host_denied: true, ..Default::default() };
        let expected =
            "  denied      10.0.0.0/8\n  host        off\n  proxy       as ALL_PROXY says\n  no proxy    none\n";
        assert_eq!(text(&settings, Paint::plain()), expected);
    }
}
