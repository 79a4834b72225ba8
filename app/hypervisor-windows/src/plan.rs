//! From a specification to the document that HCS makes a machine of: pure, so that golden tests can hold it.
//!
//! Schema 2.3, the fields that hcsshim and WSL use for Linux: direct kernel boot (an uncompressed ELF kernel since build
//! 18286), one SCSI disk, a serial port on a named pipe, sockets between host and guest, no network device.

use std::path::{Path, PathBuf};

use cove_machine::hypervisor::MachineSpec;
use serde::Serialize;

use crate::identity::MachineId;

/// Who owns Cove's machines in HCS's lists.
pub const OWNER: &str = "Cove";

/// Hyper-V gives memory in steps of this many MiB.
const MEMORY_STEP_MIB: u64 = 2;

/// Where the guest finds the data disk: controller, channel, target and number on the SCSI bus. Hyper-V gives disks no
/// serial; it makes a SCSI host of each controller and a number of each attachment, and there is one of both (WSL counts on
/// the same).
const DATA_DISK: &str = "cove.data_disk=scsi:0:0:0:0";

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// HCS takes JSON, and JSON is Unicode.
    #[error("the path {} is not Unicode, which Hyper-V needs", .0.display())]
    NotUnicode(PathBuf),
}

/// What the plan needs to know of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The machine's id.
    pub id: MachineId,
    /// The user who may dial the guest, as a security identifier: `S-1-5-21-...`.
    pub user: String,
}

impl Host {
    /// The pipe that the machine's console goes to; it must exist before the start.
    #[must_use]
    pub fn console_pipe(&self) -> String {
        format!(r"\\.\pipe\cove-{}-console", self.id)
    }
}

/// A compute system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    owner: &'static str,
    schema_version: SchemaVersion,
    /// The machine ends with the process that owns it: nothing stays behind that nobody watches.
    should_terminate_on_last_handle_closed: bool,
    virtual_machine: VirtualMachine,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SchemaVersion {
    major: u32,
    minor: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct VirtualMachine {
    /// `panic=-1` and a reboot end the machine, as -no-reboot does with QEMU.
    stop_on_reset: bool,
    chipset: Chipset,
    compute_topology: ComputeTopology,
    devices: Devices,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Chipset {
    use_utc: bool,
    linux_kernel_direct: LinuxKernelDirect,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct LinuxKernelDirect {
    #[serde(rename = "KernelFilePath")]
    kernel: String,
    #[serde(rename = "InitRdPath")]
    initramfs: String,
    #[serde(rename = "KernelCmdLine")]
    arguments: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ComputeTopology {
    memory: Memory,
    processor: Processor,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Memory {
    #[serde(rename = "SizeInMB")]
    mib: u64,
    /// Pages are the host's until the guest touches them.
    allow_overcommit: bool,
    enable_deferred_commit: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Processor {
    count: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Devices {
    com_ports: First<ComPort>,
    hv_socket: HvSocket,
    scsi: First<Scsi>,
}

/// What HCS numbers from 0, and of which there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct First<T> {
    #[serde(rename = "0")]
    first: T,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ComPort {
    named_pipe: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HvSocket {
    hv_socket_config: HvSocketConfig,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HvSocketConfig {
    default_bind_security_descriptor: String,
    default_connect_security_descriptor: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Scsi {
    /// The data disk, which [`DATA_DISK`] tells the guest of.
    attachments: First<Attachment>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attachment {
    r#type: &'static str,
    path: String,
    read_only: bool,
}

/// The machine's document.
///
/// # Errors
/// If a path cannot be said in JSON.
pub fn document(spec: &MachineSpec, host: &Host) -> Result<Document, PlanError> {
    Ok(Document {
        owner: OWNER,
        schema_version: SchemaVersion { major: 2, minor: 3 },
        should_terminate_on_last_handle_closed: true,
        virtual_machine: VirtualMachine {
            stop_on_reset: true,
            chipset: Chipset {
                use_utc: true,
                linux_kernel_direct: LinuxKernelDirect {
                    kernel: unicode(&spec.kernel)?,
                    initramfs: unicode(&spec.initramfs)?,
                    arguments: arguments(spec),
                },
            },
            compute_topology: ComputeTopology {
                memory: Memory {
                    mib: (spec.memory_bytes >> 20).next_multiple_of(MEMORY_STEP_MIB),
                    allow_overcommit: true,
                    enable_deferred_commit: true,
                },
                processor: Processor { count: spec.cpus },
            },
            devices: devices(spec, host)?,
        },
    })
}

fn devices(spec: &MachineSpec, host: &Host) -> Result<Devices, PlanError> {
    let disk = Attachment { r#type: "VirtualDisk", path: unicode(&spec.data_disk)?, read_only: false };
    Ok(Devices {
        com_ports: First { first: ComPort { named_pipe: host.console_pipe() } },
        hv_socket: HvSocket {
            hv_socket_config: HvSocketConfig {
                // The host never listens: nobody but the system itself could, and no guest would find it.
                default_bind_security_descriptor: "D:P(A;;FA;;;SY)".to_owned(),
                default_connect_security_descriptor: format!("D:P(A;;FA;;;SY)(A;;FA;;;{})", host.user),
            },
        },
        scsi: First { first: Scsi { attachments: First { first: disk } } },
    })
}

/// No PCI bus and no power-management timer are there to be looked for; the serial port is the console on every build of
/// Windows, where a virtio console is not.
fn arguments(spec: &MachineSpec) -> String {
    let cpus = format!("nr_cpus={}", spec.cpus);
    let own = ["console=ttyS0", "quiet", "panic=-1", "cryptomgr.notests", "pci=off", "pmtmr=0", DATA_DISK, &cpus];
    let all: Vec<&str> = own.into_iter().chain(spec.kernel_arguments.iter().map(String::as_str)).collect();
    all.join(" ")
}

fn unicode(path: &Path) -> Result<String, PlanError> {
    path.to_str().map(str::to_owned).ok_or_else(|| PlanError::NotUnicode(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> MachineSpec {
        MachineSpec {
            runtime_dir: r"C:\Users\me\AppData\Local\Cove\run\machine".into(),
            kernel: r"C:\Program Files\Cove\share\cove\vmlinux".into(),
            initramfs: r"C:\Users\me\AppData\Local\Cove\run\machine\initramfs.cpio".into(),
            kernel_arguments: vec!["cove.x=1".to_owned()],
            cpus: 4,
            memory_bytes: (2 << 30) + (1 << 20),
            data_disk: r"C:\Users\me\AppData\Local\Cove\machine\data.vhdx".into(),
            console_log: r"C:\Users\me\AppData\Local\Cove\machine\console.log".into(),
        }
    }

    fn host() -> Host {
        Host { id: MachineId::of(&spec().runtime_dir), user: "S-1-5-21-1-2-3-1001".to_owned() }
    }

    /// `COVE_UPDATE=1` writes the golden file anew, for a look at what changed.
    #[test]
    fn the_document_is_the_golden_one() {
        let mut text = serde_json::to_string_pretty(&document(&spec(), &host()).unwrap()).unwrap();
        text.push('\n');
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/machine.json");
        if std::env::var_os("COVE_UPDATE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&path).unwrap());
    }

    #[test]
    fn memory_is_given_in_steps_and_never_less_than_asked_for() {
        let document = document(&spec(), &host()).unwrap();
        assert_eq!(document.virtual_machine.compute_topology.memory.mib, 2050);
    }

    #[test]
    fn no_plan_has_a_network_device_or_lets_the_host_listen() {
        let text = serde_json::to_string(&document(&spec(), &host()).unwrap()).unwrap();
        assert!(!text.contains("NetworkAdapters"), "{text}");
        assert!(text.contains(r#""DefaultBindSecurityDescriptor":"D:P(A;;FA;;;SY)""#), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_unicode_is_named() {
        use std::os::unix::ffi::OsStringExt;
        let path = PathBuf::from(std::ffi::OsString::from_vec(vec![b'a', 0xff]));
        let error = document(&MachineSpec { kernel: path.clone(), ..spec() }, &host()).unwrap_err();
        assert_eq!(error, PlanError::NotUnicode(path));
    }
}
