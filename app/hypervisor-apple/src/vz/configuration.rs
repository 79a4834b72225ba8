//! A plan → VZ's objects. Nothing is decided here.
#![expect(unsafe_code, reason = "VZ's setters, which the bindings do not call safe")]

use std::{
    os::fd::{IntoRawFd, OwnedFd},
    path::Path,
};

use cove_machine::hypervisor::HypervisorError;
use objc2::{AnyThread, rc::Retained};
use objc2_foundation::{NSArray, NSFileHandle, NSString, NSURL};
use objc2_virtualization::{
    VZDiskImageCachingMode, VZDiskImageStorageDeviceAttachment, VZDiskImageSynchronizationMode,
    VZFileHandleSerialPortAttachment, VZGenericPlatformConfiguration, VZLinuxBootLoader,
    VZVirtioBlockDeviceConfiguration, VZVirtioConsoleDeviceSerialPortConfiguration, VZVirtioEntropyDeviceConfiguration,
    VZVirtioSocketDeviceConfiguration, VZVirtioTraditionalMemoryBalloonDeviceConfiguration,
    VZVirtualMachineConfiguration,
};

use super::failure::{failed, text};
use crate::plan::{Boot, Caching, Device, Disk, Synchronization, VzPlan};

/// Makes the configuration of a plan, as far as VZ finds it valid. What the guest writes to its console goes to `console`.
pub(super) fn configure(
    plan: &VzPlan,
    console: OwnedFd,
) -> Result<Retained<VZVirtualMachineConfiguration>, HypervisorError> {
    // SAFETY: a configuration belongs to nobody yet; the values have the types that the setters want.
    let configuration = unsafe { VZVirtualMachineConfiguration::new() };
    machine(&configuration, plan)?;
    let mut console = Some(console);
    for device in &plan.devices {
        match device {
            Device::Console => add_console(&configuration, console.take()),
            Device::Vsock => add_vsock(&configuration),
            Device::Disk(disk) => add_disk(&configuration, disk)?,
            Device::Entropy => add_entropy(&configuration),
            Device::Balloon => add_balloon(&configuration),
        }
    }
    // SAFETY: as above.
    unsafe { configuration.validateWithError() }.map_err(|error| failed("configure the machine", &text(&error)))?;
    Ok(configuration)
}

fn machine(configuration: &VZVirtualMachineConfiguration, plan: &VzPlan) -> Result<(), HypervisorError> {
    let boot = boot_loader(&plan.boot)?;
    // SAFETY: the number is plain; whether VZ takes it is said by the validation.
    unsafe { configuration.setCPUCount(plan.cpus) };
    // SAFETY: as above.
    unsafe { configuration.setMemorySize(plan.memory_bytes) };
    // SAFETY: the boot loader is retained by the configuration.
    unsafe { configuration.setBootLoader(Some(&boot)) };
    // SAFETY: no argument.
    let platform = unsafe { VZGenericPlatformConfiguration::new() };
    // SAFETY: the platform is retained by the configuration.
    unsafe { configuration.setPlatform(&platform) };
    Ok(())
}

fn boot_loader(boot: &Boot) -> Result<Retained<VZLinuxBootLoader>, HypervisorError> {
    let (kernel, initramfs) = (url(&boot.kernel)?, url(&boot.initramfs)?);
    // SAFETY: a freshly allocated object is initialised.
    let loader = unsafe { VZLinuxBootLoader::initWithKernelURL(VZLinuxBootLoader::alloc(), &kernel) };
    // SAFETY: the setters copy what they are given.
    unsafe { loader.setInitialRamdiskURL(Some(&initramfs)) };
    // SAFETY: as above.
    unsafe { loader.setCommandLine(&NSString::from_str(&boot.command_line)) };
    Ok(loader)
}

fn add_console(configuration: &VZVirtualMachineConfiguration, output: Option<OwnedFd>) {
    let output = output.map(|output| {
        NSFileHandle::initWithFileDescriptor_closeOnDealloc(NSFileHandle::alloc(), output.into_raw_fd(), true)
    });
    // SAFETY: both handles may be absent: then nothing is read, or nothing written.
    let attachment = unsafe {
        VZFileHandleSerialPortAttachment::initWithFileHandleForReading_fileHandleForWriting(
            VZFileHandleSerialPortAttachment::alloc(),
            None,
            output.as_deref(),
        )
    };
    // SAFETY: no argument.
    let port = unsafe { VZVirtioConsoleDeviceSerialPortConfiguration::new() };
    // SAFETY: the attachment is retained by the port.
    unsafe { port.setAttachment(Some(&attachment)) };
    let ports = NSArray::from_retained_slice(&[Retained::into_super(port)]);
    // SAFETY: the array is copied.
    unsafe { configuration.setSerialPorts(&ports) };
}

fn add_vsock(configuration: &VZVirtualMachineConfiguration) {
    // SAFETY: no argument.
    let device = unsafe { VZVirtioSocketDeviceConfiguration::new() };
    let devices = NSArray::from_retained_slice(&[Retained::into_super(device)]);
    // SAFETY: the array is copied.
    unsafe { configuration.setSocketDevices(&devices) };
}

fn add_disk(configuration: &VZVirtualMachineConfiguration, disk: &Disk) -> Result<(), HypervisorError> {
    let caching = match disk.caching {
        Caching::Cached => VZDiskImageCachingMode::Cached,
    };
    let synchronization = match disk.synchronization {
        Synchronization::Fsync => VZDiskImageSynchronizationMode::Fsync,
    };
    let url = url(&disk.path)?;
    // SAFETY: a freshly allocated object is initialised.
    let attachment = unsafe {
        VZDiskImageStorageDeviceAttachment::initWithURL_readOnly_cachingMode_synchronizationMode_error(
            VZDiskImageStorageDeviceAttachment::alloc(),
            &url,
            false,
            caching,
            synchronization,
        )
    };
    let attachment = attachment.map_err(|error| failed(&format!("open {}", disk.path.display()), &text(&error)))?;
    // SAFETY: a freshly allocated object is initialised.
    let device = unsafe {
        VZVirtioBlockDeviceConfiguration::initWithAttachment(VZVirtioBlockDeviceConfiguration::alloc(), &attachment)
    };
    // SAFETY: the plan keeps to 20 bytes of ASCII.
    unsafe { device.setBlockDeviceIdentifier(&NSString::from_str(disk.identifier)) };
    // Added to what is there, so that a plan may have several.
    // SAFETY: the array is a copy.
    let present = unsafe { configuration.storageDevices() };
    let devices = present.arrayByAddingObject(&device);
    // SAFETY: the array is copied.
    unsafe { configuration.setStorageDevices(&devices) };
    Ok(())
}

fn add_entropy(configuration: &VZVirtualMachineConfiguration) {
    // SAFETY: no argument.
    let device = unsafe { VZVirtioEntropyDeviceConfiguration::new() };
    let devices = NSArray::from_retained_slice(&[Retained::into_super(device)]);
    // SAFETY: the array is copied.
    unsafe { configuration.setEntropyDevices(&devices) };
}

fn add_balloon(configuration: &VZVirtualMachineConfiguration) {
    // SAFETY: no argument.
    let device = unsafe { VZVirtioTraditionalMemoryBalloonDeviceConfiguration::new() };
    let devices = NSArray::from_retained_slice(&[Retained::into_super(device)]);
    // SAFETY: the array is copied.
    unsafe { configuration.setMemoryBalloonDevices(&devices) };
}

fn url(path: &Path) -> Result<Retained<NSURL>, HypervisorError> {
    NSURL::from_file_path(path).ok_or_else(|| failed(&format!("name {}", path.display()), &"it is no path of a file"))
}
