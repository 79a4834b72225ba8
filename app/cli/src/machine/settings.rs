//! `cove settings`: how large the machine is, and how registries are asked; with options, what is to become of it.

use cove_proto::v1::{
    GetRegistrySettingsRequest, GetRegistrySettingsResponse, GetSettingsRequest, GetSettingsResponse, MachineSettings,
    UpdateSettingsRequest, UpdateSettingsResponse,
};
use serde::Serialize;

use crate::{
    engine::Engine,
    failure::{Failure, Outcome},
    output::{self, Format, Paint},
    quantities::{self, QuantityError},
    registries,
};

/// Arguments of `cove settings`. Without any, the settings are shown.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Arguments {
    /// Number of CPUs.
    #[arg(long)]
    cpus: Option<u32>,
    /// Memory, such as 4g: as much as the guest and its containers may take.
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory: Option<u64>,
    /// Size of the data disk, such as 128g. It takes the place of what is in it, and never shrinks.
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    disk: Option<u64>,
    /// Seconds that containers get to stop, when the machine does, before they are killed.
    #[arg(long, value_name = "SECONDS")]
    grace: Option<u64>,
    /// Whether containers have a user namespace, in which their root is nobody outside, unless they say otherwise.
    #[arg(long, value_name = "ON|OFF", value_parser = quantities::on_or_off)]
    user_namespaces: Option<bool>,
    /// Back to the defaults, before what else is given.
    #[arg(long)]
    reset: bool,
    #[command(flatten)]
    registries: registries::Options,
}

#[derive(Serialize)]
struct Settings {
    cpus: u32,
    memory_bytes: u64,
    disk_bytes: u64,
    grace_seconds: u64,
    user_namespaces: bool,
    restart_needed: bool,
    registries: registries::Settings,
}

impl Settings {
    fn new(settings: Option<MachineSettings>, restart_needed: bool, registries: &GetRegistrySettingsResponse) -> Self {
        let MachineSettings { cpus, memory_bytes, disk_bytes, grace_seconds, user_namespaces } =
            settings.unwrap_or_default();
        let registries = registries.settings.clone().unwrap_or_default().into();
        Self { cpus, memory_bytes, disk_bytes, grace_seconds, user_namespaces, restart_needed, registries }
    }
}

/// Shows or changes the settings.
pub(crate) async fn run(arguments: &Arguments, format: Format) -> Outcome {
    let engine = Engine::reach().await?;
    let (mut machine, mut registry) = (engine.machine(), engine.registry());
    let of_registries = arguments.registries.change(arguments.reset);
    let of_machine = change(arguments);
    let shows = of_registries.is_none() && of_machine.is_none();
    if let Some(change) = of_registries {
        registry.update_registry_settings(change).await?;
    }
    let registries = registry.get_registry_settings(GetRegistrySettingsRequest {}).await?.into_inner();
    let Some(change) = of_machine else {
        let found = machine.get_settings(GetSettingsRequest {}).await?.into_inner();
        return if shows { show(&found, &registries, format) } else { show_registries(&found, &registries, format) };
    };
    let changed = machine.update_settings(change).await?.into_inner();
    match format {
        Format::Json => output::json(&Settings::new(changed.settings, changed.restart_needed, &registries))?,
        Format::Text => output::text(&changed_text(&changed))?,
    }
    Ok(0)
}

/// Settings that cannot be used are shown with the defaults in their place, and are a failure.
fn show(found: &GetSettingsResponse, registries: &GetRegistrySettingsResponse, format: Format) -> Outcome {
    if !found.problem.is_empty() {
        return Err(Failure::new(found.problem.clone())
            .advice("the machine does not start with them; correct the file, or go back: cove settings --reset"));
    }
    if !registries.problem.is_empty() {
        return Err(Failure::new(registries.problem.clone())
            .advice("no registry is asked with them; correct the file, or go back: cove settings --reset"));
    }
    match format {
        Format::Json => output::json(&Settings::new(found.settings, found.restart_needed, registries))?,
        Format::Text => {
            let paint = Paint::of_stdout();
            let registries = registries::text(&registries.settings.clone().unwrap_or_default(), paint);
            output::text(&(registries + &text(found, paint)))?;
        }
    }
    Ok(0)
}

/// Only registries were changed; they need no restart.
fn show_registries(found: &GetSettingsResponse, registries: &GetRegistrySettingsResponse, format: Format) -> Outcome {
    match format {
        Format::Json => output::json(&Settings::new(found.settings, found.restart_needed, registries))?,
        Format::Text => {
            let settings = registries.settings.clone().unwrap_or_default();
            output::text(&registries::text(&settings, Paint::of_stdout()))?;
        }
    }
    Ok(0)
}

fn bytes(text: &str) -> Result<u64, QuantityError> {
    quantities::bytes(text).and_then(|bytes| u64::try_from(bytes).map_err(|_| QuantityError::Size))
}

/// `None` if nothing is to be changed.
fn change(arguments: &Arguments) -> Option<UpdateSettingsRequest> {
    let Arguments { cpus, memory, disk, grace, user_namespaces, reset, .. } = *arguments;
    let request = UpdateSettingsRequest {
        cpus,
        memory_bytes: memory,
        disk_bytes: disk,
        grace_seconds: grace,
        user_namespaces,
        reset,
    };
    (request != UpdateSettingsRequest::default()).then_some(request)
}

fn text(found: &GetSettingsResponse, paint: Paint) -> String {
    let settings = found.settings.unwrap_or_default();
    let limits = found.limits.unwrap_or_default();
    let line = |name: &str, value: String, range: String| {
        format!("  {}{value:<12}{}\n", paint.faint(&format!("{name:<12}")), paint.faint(&range))
    };
    let sizes = |least, most| format!("{} to {}", size(least), size(most));
    let mut text = line("cpus", settings.cpus.to_string(), format!("1 to {}", limits.max_cpus));
    text += &line("memory", size(settings.memory_bytes), sizes(limits.min_memory_bytes, limits.max_memory_bytes));
    text += &line("disk", size(settings.disk_bytes), sizes(limits.min_disk_bytes, limits.max_disk_bytes));
    text += &line("grace", format!("{} s", settings.grace_seconds), format!("0 to {} s", limits.max_grace_seconds));
    text += &line("user ns", switch(settings.user_namespaces).to_owned(), "on or off".to_owned());
    text += &format!("  {}{}\n", paint.faint(&format!("{:<12}", "file")), found.path);
    text + restart_hint(found.restart_needed)
}

fn changed_text(changed: &UpdateSettingsResponse) -> String {
    let settings = changed.settings.unwrap_or_default();
    format!(
        "{}, {} of memory, a disk of {}, {} s of grace, user namespaces {}.\n{}",
        output::cpus(settings.cpus),
        size(settings.memory_bytes),
        size(settings.disk_bytes),
        settings.grace_seconds,
        switch(settings.user_namespaces),
        restart_hint(changed.restart_needed)
    )
}

fn switch(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn restart_hint(needed: bool) -> &'static str {
    if needed { "The machine that runs still has the old ones. Restart it: cove restart\n" } else { "" }
}

/// A size as it can be typed back: in the largest unit that needs no fraction.
fn size(bytes: u64) -> String {
    let (unit, shift) = match bytes {
        0 => ("b", 0),
        _ => match bytes.trailing_zeros() {
            40.. => ("t", 40),
            30..40 => ("g", 30),
            20..30 => ("m", 20),
            10..20 => ("k", 10),
            0..10 => ("b", 0),
        },
    };
    format!("{}{unit}", bytes >> shift)
}

#[cfg(test)]
mod tests {
    use cove_proto::v1::SettingsLimits;

    use super::*;

    const SETTINGS: MachineSettings = MachineSettings {
        cpus: 4,
        memory_bytes: 3 << 29,
        disk_bytes: 64 << 30,
        grace_seconds: 10,
        user_namespaces: true,
    };

    #[test]
    fn a_size_can_be_typed_back() {
        for bytes_there in [0, 1, 1025, 3 << 10, 3 << 29, 64 << 30, 16 << 40] {
            assert_eq!(bytes(&size(bytes_there)).unwrap(), bytes_there);
        }
        assert_eq!([size(3 << 29), size(64 << 30), size(16 << 40)], ["1536m", "64g", "16t"]);
    }

    #[test]
    fn only_what_is_given_is_asked_for() {
        assert_eq!(change(&Arguments::default()), None);
        let one = change(&Arguments { cpus: Some(2), ..Arguments::default() }).unwrap();
        assert_eq!(one, UpdateSettingsRequest { cpus: Some(2), ..Default::default() });
        let off = change(&Arguments { user_namespaces: Some(false), ..Arguments::default() }).unwrap();
        assert_eq!(off, UpdateSettingsRequest { user_namespaces: Some(false), ..Default::default() });
        assert_eq!(["on", "off"].map(quantities::on_or_off), [Ok(true), Ok(false)]);
        assert!(quantities::on_or_off("yes").is_err());
        assert!(change(&Arguments { reset: true, ..Arguments::default() }).unwrap().reset);
    }

    #[test]
    fn the_limits_stand_beside_the_values_and_a_restart_is_asked_for() {
        let limits = SettingsLimits {
            max_cpus: 8,
            min_memory_bytes: 256 << 20,
            max_memory_bytes: 16 << 30,
            min_disk_bytes: 1 << 30,
            max_disk_bytes: 16 << 40,
            max_grace_seconds: 3600,
        };
        let found = GetSettingsResponse {
            settings: Some(SETTINGS),
            limits: Some(limits),
            path: "/h/machine/settings.json".into(),
            restart_needed: true,
            ..Default::default()
        };
        assert_eq!(
            text(&found, Paint::plain()),
            "  cpus        4           1 to 8\n  memory      1536m       256m to 16g\n  disk        64g         1g to 16t\n  \
             grace       10 s        0 to 3600 s\n  user ns     on          on or off\n  file        /h/machine/settings.json\n\
             The machine that runs still has the old ones. Restart it: cove restart\n"
        );
    }

    #[test]
    fn settings_that_cannot_be_used_are_a_failure_with_a_way_out() {
        let broken = GetSettingsResponse { problem: "understand the settings".into(), ..Default::default() };
        let failure = show(&broken, &GetRegistrySettingsResponse::default(), Format::Text).unwrap_err().to_string();
        assert!(failure.contains("understand the settings") && failure.contains("--reset"), "{failure}");
    }
}
