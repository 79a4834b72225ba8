//! `cove.v1.Containers`.

use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use tonic::{Request, Response, Status, Streaming};

use cove_proto::v1::{
    self, AttachContainerRequest, AttachContainerResponse, CreateContainerRequest, CreateContainerResponse,
    GetContainerLogsRequest, GetContainerLogsResponse, GetContainerRequest, GetContainerResponse, GetIsolationRequest,
    GetIsolationResponse, KillContainerRequest, KillContainerResponse, ListContainersRequest, ListContainersResponse,
    ListProcessesRequest, ListProcessesResponse, RemoveContainerRequest, RemoveContainerResponse,
    RenameContainerRequest, RenameContainerResponse, ResizeContainerRequest, ResizeContainerResponse,
    RestartContainerRequest, RestartContainerResponse, StartContainerRequest, StartContainerResponse,
    StopContainerRequest, StopContainerResponse, WaitContainerRequest, WaitContainerResponse, WatchContainersRequest,
    WatchContainersResponse, attach_container_request::Message,
};

use super::error::missing;
use crate::{
    containers::{self, Containers, ContainersError, Pruned, attach, list, nanos, output, timestamp, watch},
    detach_keys::DetachKeys,
    logs::Stream as Source,
};

/// `cove.v1.Containers`.
#[derive(Debug, Clone)]
pub struct ContainersService {
    containers: Containers,
}

impl ContainersService {
    /// The service of these containers.
    #[must_use]
    pub fn new(containers: Containers) -> Self {
        Self { containers }
    }
}

type Sent<T> = BoxStream<'static, Result<T, Status>>;

#[tonic::async_trait]
impl v1::containers_server::Containers for ContainersService {
    type AttachContainerStream = Sent<AttachContainerResponse>;
    type WaitContainerStream = Sent<WaitContainerResponse>;
    type WatchContainersStream = Sent<WatchContainersResponse>;
    type GetContainerLogsStream = Sent<GetContainerLogsResponse>;
    type GetContainerStatsStream = Sent<v1::GetContainerStatsResponse>;

    async fn create_container(
        &self,
        request: Request<CreateContainerRequest>,
    ) -> Result<Response<CreateContainerResponse>, Status> {
        let CreateContainerRequest { name, spec } = request.into_inner();
        let mut spec = spec.ok_or_else(|| missing("a spec"))?;
        let warnings = containers::discard(&mut spec);
        let id = self.containers.create(&name, spec).await?;
        Ok(Response::new(CreateContainerResponse { id, warnings }))
    }

    async fn start_container(
        &self,
        request: Request<StartContainerRequest>,
    ) -> Result<Response<StartContainerResponse>, Status> {
        let already_running = self.containers.start(&request.into_inner().container).await?;
        Ok(Response::new(StartContainerResponse { already_running }))
    }

    async fn attach_container(
        &self,
        request: Request<Streaming<AttachContainerRequest>>,
    ) -> Result<Response<Self::AttachContainerStream>, Status> {
        let mut sent = request.into_inner();
        let Some(AttachContainerRequest { message: Some(Message::Open(open)) }) = sent.message().await? else {
            return Err(missing("what to attach to, as its first message"));
        };
        let wanted = attach::Wanted {
            stdin: open.stdin,
            stdout: open.stdout,
            stderr: open.stderr,
            logs: open.logs,
            stream: open.stream,
            detach_keys: Some(detach_keys(&open.detach_keys)?),
        };
        let attach::Attached { output, input } = self.containers.attach(&open.container, wanted)?;
        if let Some(input) = input {
            tokio::spawn(feed(sent, input));
        }
        let output =
            output.map_ok(|(stream, data)| AttachContainerResponse { stream: stream_of(stream), data: data.into() });
        Ok(Response::new(output.map_err(Status::from).boxed()))
    }

    async fn wait_container(
        &self,
        request: Request<WaitContainerRequest>,
    ) -> Result<Response<Self::WaitContainerStream>, Status> {
        let request = request.into_inner();
        let waited = self.containers.wait(&request.container, request.condition()).await?;
        let answer = async move {
            let waited = waited.await.map_err(|_| Status::unavailable("the agent is shutting down"))?;
            Ok(WaitContainerResponse { exit_code: waited.exit_code, error: waited.error })
        };
        Ok(Response::new(stream::once(answer).boxed()))
    }

    async fn list_containers(
        &self,
        request: Request<ListContainersRequest>,
    ) -> Result<Response<ListContainersResponse>, Status> {
        let ListContainersRequest { all, limit, filters, sizes } = request.into_inner();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let containers = self.containers.list(list::Wanted { all, limit, filters, sizes }).await?;
        Ok(Response::new(ListContainersResponse { containers }))
    }

    async fn watch_containers(
        &self,
        request: Request<WatchContainersRequest>,
    ) -> Result<Response<Self::WatchContainersStream>, Status> {
        let WatchContainersRequest { all, after_revision } = request.into_inner();
        let lists = self.containers.watch(all, after_revision);
        let lists =
            lists.map_ok(|watch::Change { containers, revision }| WatchContainersResponse { containers, revision });
        Ok(Response::new(lists.map_err(Status::from).boxed()))
    }

    async fn get_container(
        &self,
        request: Request<GetContainerRequest>,
    ) -> Result<Response<GetContainerResponse>, Status> {
        let GetContainerRequest { container, sizes } = request.into_inner();
        let container = Some(self.containers.inspect(&container, sizes).await?);
        Ok(Response::new(GetContainerResponse { container }))
    }

    async fn stop_container(
        &self,
        request: Request<StopContainerRequest>,
    ) -> Result<Response<StopContainerResponse>, Status> {
        let StopContainerRequest { container, timeout_seconds, signal } = request.into_inner();
        let already_stopped = self.containers.stop(&container, timeout_seconds, &signal).await?;
        Ok(Response::new(StopContainerResponse { already_stopped }))
    }

    async fn kill_container(
        &self,
        request: Request<KillContainerRequest>,
    ) -> Result<Response<KillContainerResponse>, Status> {
        let KillContainerRequest { container, signal } = request.into_inner();
        self.containers.kill(&container, &signal).await?;
        Ok(Response::new(KillContainerResponse {}))
    }

    async fn restart_container(
        &self,
        request: Request<RestartContainerRequest>,
    ) -> Result<Response<RestartContainerResponse>, Status> {
        let RestartContainerRequest { container, timeout_seconds, signal } = request.into_inner();
        self.containers.restart(&container, timeout_seconds, &signal).await?;
        Ok(Response::new(RestartContainerResponse {}))
    }

    async fn remove_container(
        &self,
        request: Request<RemoveContainerRequest>,
    ) -> Result<Response<RemoveContainerResponse>, Status> {
        let RemoveContainerRequest { container, force, volumes, link } = request.into_inner();
        if link {
            self.containers.unlink(&container).await?;
        } else {
            self.containers.remove(&container, force, volumes).await?;
        }
        Ok(Response::new(RemoveContainerResponse {}))
    }

    async fn rename_container(
        &self,
        request: Request<RenameContainerRequest>,
    ) -> Result<Response<RenameContainerResponse>, Status> {
        let RenameContainerRequest { container, name } = request.into_inner();
        self.containers.rename(&container, &name).await?;
        Ok(Response::new(RenameContainerResponse {}))
    }

    async fn resize_container(
        &self,
        request: Request<ResizeContainerRequest>,
    ) -> Result<Response<ResizeContainerResponse>, Status> {
        let ResizeContainerRequest { container, size } = request.into_inner();
        let size = size.ok_or_else(|| missing("a size"))?;
        self.containers.resize(&container, size.rows, size.columns)?;
        Ok(Response::new(ResizeContainerResponse {}))
    }

    async fn get_container_logs(
        &self,
        request: Request<GetContainerLogsRequest>,
    ) -> Result<Response<Self::GetContainerLogsStream>, Status> {
        let request = request.into_inner();
        let wanted = output::Wanted {
            stdout: request.stdout,
            stderr: request.stderr,
            follow: request.follow,
            since: request.since.as_ref().map(nanos),
            until: request.until.as_ref().map(nanos),
            tail: request.tail_lines,
        };
        let attributes = self.containers.log_attributes(&request.container)?;
        let pieces = self.containers.output(&request.container, wanted).await?;
        let lines = pieces.map_ok(move |piece| GetContainerLogsResponse {
            stream: stream_of(piece.stream),
            data: piece.data.into(),
            time: timestamp(piece.time),
            continues: piece.continues,
            attributes: attributes.clone().into_iter().collect(),
        });
        Ok(Response::new(lines.map_err(Status::from).boxed()))
    }

    async fn list_processes(
        &self,
        request: Request<ListProcessesRequest>,
    ) -> Result<Response<ListProcessesResponse>, Status> {
        Ok(Response::new(self.containers.processes(&request.into_inner().container).await?))
    }

    async fn get_isolation(
        &self,
        request: Request<GetIsolationRequest>,
    ) -> Result<Response<GetIsolationResponse>, Status> {
        Ok(Response::new(self.containers.isolation(&request.into_inner().container).await?))
    }

    async fn pause_container(
        &self,
        request: Request<v1::PauseContainerRequest>,
    ) -> Result<Response<v1::PauseContainerResponse>, Status> {
        self.containers.pause(&request.into_inner().container).await?;
        Ok(Response::new(v1::PauseContainerResponse {}))
    }

    async fn unpause_container(
        &self,
        request: Request<v1::UnpauseContainerRequest>,
    ) -> Result<Response<v1::UnpauseContainerResponse>, Status> {
        self.containers.unpause(&request.into_inner().container).await?;
        Ok(Response::new(v1::UnpauseContainerResponse {}))
    }

    async fn update_container(
        &self,
        request: Request<v1::UpdateContainerRequest>,
    ) -> Result<Response<v1::UpdateContainerResponse>, Status> {
        let v1::UpdateContainerRequest { container, resources, restart_policy } = request.into_inner();
        self.containers.update(&container, resources.unwrap_or_default(), restart_policy).await?;
        Ok(Response::new(v1::UpdateContainerResponse { warnings: Vec::new() }))
    }

    async fn prune_containers(
        &self,
        request: Request<v1::PruneContainersRequest>,
    ) -> Result<Response<v1::PruneContainersResponse>, Status> {
        let Pruned { ids, freed_bytes } = self.containers.prune(request.into_inner().filters).await?;
        Ok(Response::new(v1::PruneContainersResponse { ids, freed_bytes }))
    }

    async fn get_container_stats(
        &self,
        request: Request<v1::GetContainerStatsRequest>,
    ) -> Result<Response<Self::GetContainerStatsStream>, Status> {
        let v1::GetContainerStatsRequest { container, once } = request.into_inner();
        let stats = self.containers.stats(&container, once)?;
        Ok(Response::new(stats.map_err(Status::from).boxed()))
    }
}

/// The keys that let go of a terminal.
fn detach_keys(asked: &str) -> Result<DetachKeys, ContainersError> {
    DetachKeys::parse(asked).ok_or_else(|| ContainersError::DetachKeys(asked.to_owned()))
}

/// Carries a client's input to a container until either ends. A client that is lost has ended its input.
async fn feed(mut sent: Streaming<AttachContainerRequest>, mut input: attach::Input) {
    let mut takes_more = true;
    while let Ok(Some(AttachContainerRequest { message: Some(message) })) = sent.message().await {
        match message {
            // What it does not take is read all the same: a client that is not read cannot say that it leaves.
            Message::Stdin(data) => takes_more = takes_more && input.write(&data).await,
            Message::StdinClosed(_) => break,
            // Opened twice: the second means nothing.
            Message::Open(_) => {}
        }
    }
    if takes_more {
        input.finish().await;
    }
}

pub(super) fn stream_of(source: Source) -> i32 {
    match source {
        Source::Stdout => v1::StdioStream::Stdout.into(),
        Source::Stderr => v1::StdioStream::Stderr.into(),
    }
}
