//! Machines of the stand-in for computecore.dll (tests/wine), which lets the real marshalling, callbacks and handles run
//! where there is no Hyper-V.
#![cfg(windows)]
#![expect(clippy::unwrap_used, reason = "a test's fixture fails the test")]

use std::{fs, net::TcpStream, path::PathBuf, sync::Arc, time::Duration};

use cove_hypervisor_windows::HyperV;
use cove_machine::{
    conformance::{Behaviour, Subject, suite},
    hypervisor::{Exit, Hypervisor, HypervisorError, MachineSpec, Verdict, VmState},
    lifecycle::ended,
};
use tempfile::TempDir;

/// The stand-in's: a socket of the loopback, since Wine has no AF_HYPERV.
const PORT: u32 = 41024;

struct StandIn(TempDir);

impl StandIn {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["kernel", "initramfs", "disk.vhdx"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        Self(folder)
    }

    fn spec_with(&self, name: &str, arguments: &[&str]) -> MachineSpec {
        let at = |name: &str| self.0.path().join(name);
        let runtime_dir: PathBuf = at(&format!("run-{name}"));
        fs::create_dir_all(&runtime_dir).unwrap();
        MachineSpec {
            runtime_dir,
            kernel: at("kernel"),
            initramfs: at("initramfs"),
            kernel_arguments: arguments.iter().map(ToString::to_string).collect(),
            cpus: 2,
            memory_bytes: 1 << 30,
            data_disk: at("disk.vhdx"),
            console_log: at(&format!("{name}.log")),
        }
    }
}

impl Subject for StandIn {
    fn hypervisor(&self) -> Arc<dyn Hypervisor> {
        Arc::new(hypervisor())
    }

    fn spec(&self, name: &str, behaviour: Behaviour) -> MachineSpec {
        self.spec_with(name, &[&behaviour.kernel_argument()])
    }

    fn listening_port(&self) -> u32 {
        PORT
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }
}

fn hypervisor() -> HyperV {
    HyperV::dialling(|_, port| TcpStream::connect(("127.0.0.1", u16::try_from(port).map_err(std::io::Error::other)?)))
}

#[tokio::test]
async fn the_conformance_suite() {
    let outcomes = suite(&StandIn::new()).await;
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.result.is_err()).collect();
    assert!(failed.is_empty() && !outcomes.is_empty(), "{failed:#?}");
}

#[tokio::test]
async fn a_refused_privilege_is_told_with_its_fix() {
    let started = hypervisor().start(StandIn::new().spec_with("refused", &["stand-in=refuse"])).await;
    let Err(HypervisorError::Host(checks)) = started.map(drop) else { panic!("no problem of the host") };
    assert_eq!((checks[0].name.as_str(), checks[0].verdict), ("hyper-v.privilege", Verdict::Problem));
    assert!(checks[0].fix.contains("Hyper-V Administrators"), "{checks:?}");
}

#[tokio::test]
async fn the_error_document_is_in_the_error() {
    let started = hypervisor().start(StandIn::new().spec_with("document", &["stand-in=document"])).await;
    let text = started.map(drop).unwrap_err().to_string();
    assert!(text.starts_with("create the machine: 0x8037010d: "), "{text}");
    assert!(text.contains("The disk is not a VHDX."), "{text}");
}

#[tokio::test]
async fn a_service_that_goes_away_is_the_end_of_its_machines() {
    let stand_in = StandIn::new();
    let vm = hypervisor().start(stand_in.spec_with("lost", &["cove.conformance=lost"])).await.unwrap();
    let exit = tokio::time::timeout(Duration::from_secs(20), ended(vm.state())).await.unwrap();
    assert_eq!(exit, Exit::VmmDied("the Host Compute Service went away".to_owned()));
}

#[tokio::test]
async fn many_machines_come_and_go_and_their_late_callbacks_find_what_they_need() {
    let stand_in = StandIn::new();
    for round in 0..10 {
        let spec = stand_in.spec_with(&format!("round-{round}"), &["cove.conformance=idle"]);
        let vm = hypervisor().start(spec).await.unwrap();
        vm.kill().await;
        assert_eq!(*vm.state().borrow(), VmState::Ended(Exit::Forced));
    }
}

#[tokio::test]
async fn the_real_way_to_a_port_says_what_is_missing_here() {
    let stand_in = StandIn::new();
    let vm = HyperV::default().start(stand_in.spec_with("port", &["cove.conformance=listen"])).await.unwrap();
    let dialled = vm.connect(PORT).await.map(drop);
    vm.kill().await;
    // Wine has no such sockets: final, unlike a guest that does not listen yet.
    assert!(matches!(dialled, Err(HypervisorError::Operation { .. })), "{dialled:?}");
}

#[tokio::test]
async fn a_host_with_the_service_passes_its_checks() {
    let checks = hypervisor().check().await;
    let found: Vec<_> = checks.iter().map(|check| (check.name.as_str(), check.verdict)).collect();
    assert!(found.contains(&("hyper-v", Verdict::Ok)), "{checks:?}");
}
