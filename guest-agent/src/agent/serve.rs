//! The services on the agent's port.

use cove_proto::v1::{
    containers_server::ContainersServer, events_server::EventsServer, execs_server::ExecsServer,
    files_server::FilesServer, guest_server::GuestServer, host_folders_server::HostFoldersServer,
    host_server::HostServer, images_server::ImagesServer, networks_server::NetworksServer,
    volumes_server::VolumesServer,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Duration, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;

use super::{accept::Connection, engine::Engine};
use crate::host::Host;
use crate::rpc::{
    containers::ContainersService, events::EventsService, execs::ExecsService, files::FilesService,
    guest::GuestService, host::HostService, images::ImagesService, networks::NetworksService,
    shares::HostFoldersService, volumes::VolumesService,
};

/// HTTP/2 windows: with the default of 64 KiB a stream waits for its reader most of the time; what is larger is memory that
/// each layer takes that waits for its turn.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// How long calls may take to end when the machine powers off: enough for answers that are on their way, too short for
/// those who follow something.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves until the machine is to be powered off.
pub(super) async fn serve(
    engine: Engine,
    host: Host,
    connections: mpsc::Receiver<std::io::Result<Connection>>,
) -> anyhow::Result<()> {
    let (power_off, mut asked) = watch::channel(false);
    let mut ends = asked.clone();
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ContainersServer<ContainersService>>().await;
    reporter.set_serving::<ExecsServer<ExecsService>>().await;
    reporter.set_serving::<EventsServer<EventsService>>().await;
    reporter.set_serving::<ImagesServer<ImagesService>>().await;
    reporter.set_serving::<FilesServer<FilesService>>().await;
    reporter.set_serving::<VolumesServer<VolumesService>>().await;
    reporter.set_serving::<NetworksServer<NetworksService>>().await;
    reporter.set_serving::<HostFoldersServer<HostFoldersService>>().await;
    reporter.set_serving::<GuestServer<GuestService>>().await;
    let Engine { facts, database, images, volumes, networks, shares, containers, execs, events } = engine;
    let guest = GuestService { facts, containers: containers.clone(), images: images.clone(), power_off };
    let server = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .add_service(health)
        .add_service(GuestServer::new(guest))
        .add_service(HostServer::new(HostService::new(host)))
        .add_service(NetworksServer::new(NetworksService::new(networks, containers.clone())))
        .add_service(FilesServer::new(FilesService::new(containers.clone())))
        .add_service(ContainersServer::new(ContainersService::new(containers)))
        .add_service(ExecsServer::new(ExecsService::new(execs)))
        .add_service(EventsServer::new(EventsService::new(events)))
        .add_service(ImagesServer::new(ImagesService::new(images)))
        .add_service(VolumesServer::new(VolumesService::new(volumes)))
        .add_service(HostFoldersServer::new(HostFoldersService::new(shares)))
        .serve_with_incoming_shutdown(ReceiverStream::new(connections), async move {
            let _ = asked.wait_for(|asked| *asked).await;
        });
    tokio::pin!(server);
    tokio::select! {
        served = &mut server => return Ok(served?),
        () = database.failed() => anyhow::bail!("the database failed; the next agent opens it again"),
        _ = ends.wait_for(|ends| *ends) => {}
    }
    match timeout(FAREWELL, server).await {
        Ok(served) => Ok(served?),
        // Somebody follows something; that ends with the machine.
        Err(_) => Ok(()),
    }
}
