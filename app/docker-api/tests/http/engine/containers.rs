//! `cove.v1.Containers`.

use cove_proto::v1::{self, attach_container_request::Message};
use futures::StreamExt as _;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::{Answers, Shared, canned, never, no_container};

#[async_trait]
impl v1::containers_server::Containers for Shared {
    type AttachContainerStream = Answers<v1::AttachContainerResponse>;
    type WaitContainerStream = Answers<v1::WaitContainerResponse>;
    type GetContainerLogsStream = Answers<v1::GetContainerLogsResponse>;
    type WatchContainersStream = Answers<v1::WatchContainersResponse>;
    type GetContainerStatsStream = Answers<v1::GetContainerStatsResponse>;

    async fn create_container(
        &self,
        request: Request<v1::CreateContainerRequest>,
    ) -> Result<Response<v1::CreateContainerResponse>, Status> {
        let request = request.into_inner();
        if request.name == "taken" {
            return Err(Status::already_exists("Conflict. The container name \"/taken\" is already in use"));
        }
        if request.spec.as_ref().is_some_and(|spec| spec.image == "nope") {
            return Err(Status::not_found("No such image: nope:latest"));
        }
        *self.0.created.lock().unwrap() = Some(request);
        Ok(Response::new(v1::CreateContainerResponse { id: "abc".into(), warnings: vec![] }))
    }

    async fn watch_containers(
        &self,
        _request: Request<v1::WatchContainersRequest>,
    ) -> Result<Response<Self::WatchContainersStream>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }

    async fn start_container(
        &self,
        request: Request<v1::StartContainerRequest>,
    ) -> Result<Response<v1::StartContainerResponse>, Status> {
        let name = request.into_inner().container;
        no_container(&name)?;
        if name == "broken" {
            return Err(Status::invalid_argument("exec: \"x\": executable file not found in $PATH"));
        }
        self.0.started.notify_one();
        Ok(Response::new(v1::StartContainerResponse { already_running: name == "running" }))
    }

    async fn attach_container(
        &self,
        request: Request<Streaming<v1::AttachContainerRequest>>,
    ) -> Result<Response<Self::AttachContainerStream>, Status> {
        let mut input = request.into_inner();
        let Some(Message::Open(open)) = input.message().await?.and_then(|first| first.message) else {
            return Err(Status::invalid_argument("no open"));
        };
        self.note(format!(
            "attach in={} out={} err={} logs={} stream={}",
            open.stdin, open.stdout, open.stderr, open.logs, open.stream
        ));
        if open.container == "paused" {
            return Err(Status::failed_precondition("container paused is paused"));
        }
        match open.container.as_str() {
            "quiet" => return Ok(Response::new(never(self))),
            "let-go" => {
                self.note(format!("detach keys {}", open.detach_keys));
                return Ok(Response::new(Box::pin(futures::stream::iter([Err(Status::aborted("let go"))]))));
            }
            _ => {}
        }
        let echo = input.map(|request| {
            Ok(match request?.message {
                Some(Message::Stdin(data)) => piece(v1::StdioStream::Stdout, data),
                _ => piece(v1::StdioStream::Stderr, b"bye\n".to_vec()),
            })
        });
        Ok(Response::new(Box::pin(echo)))
    }

    async fn wait_container(
        &self,
        request: Request<v1::WaitContainerRequest>,
    ) -> Result<Response<Self::WaitContainerStream>, Status> {
        let request = request.into_inner();
        no_container(&request.container)?;
        self.note(format!("wait {}", request.condition().as_str_name()));
        match request.container.as_str() {
            "forever" => return Ok(Response::new(never(self))),
            "unstartable" | "vanished" => {
                let exit_code = if request.container == "vanished" { 0 } else { 127 };
                let outcome = Ok(v1::WaitContainerResponse { exit_code, error: "no such file".into() });
                return Ok(Response::new(Box::pin(futures::stream::iter([outcome]))));
            }
            "lost" => {
                let lost = futures::stream::iter([Err(Status::unavailable("the machine stopped"))]);
                return Ok(Response::new(Box::pin(lost)));
            }
            _ => {}
        }
        let fake = std::sync::Arc::clone(&self.0);
        let ended = futures::stream::once(async move {
            fake.started.notified().await;
            Ok(v1::WaitContainerResponse { exit_code: 3, error: String::new() })
        });
        Ok(Response::new(Box::pin(ended)))
    }

    async fn list_containers(
        &self,
        request: Request<v1::ListContainersRequest>,
    ) -> Result<Response<v1::ListContainersResponse>, Status> {
        let request = request.into_inner();
        let mut filters: Vec<_> =
            request.filters.iter().map(|(key, values)| format!("{key}={}", values.values.join(","))).collect();
        filters.sort();
        self.note(format!("list all={} limit={} {}", request.all, request.limit, filters.join(" ")));
        if request.filters.contains_key("foo") {
            return Err(Status::invalid_argument("invalid filter 'foo'"));
        }
        let containers = vec![canned::failed(), canned::running(), canned::created()];
        Ok(Response::new(v1::ListContainersResponse { containers }))
    }

    async fn get_container(
        &self,
        request: Request<v1::GetContainerRequest>,
    ) -> Result<Response<v1::GetContainerResponse>, Status> {
        let name = request.into_inner().container;
        no_container(&name)?;
        let mut container = match name.as_str() {
            "c6" | "tty" => canned::with_limits(),
            "checked" => canned::checked(),
            _ => canned::running(),
        };
        if ["paused", "follow", "quiet", "let-go", "labelled"].contains(&name.as_str()) {
            container.id = name;
        }
        Ok(Response::new(v1::GetContainerResponse { container: Some(container) }))
    }

    async fn stop_container(
        &self,
        request: Request<v1::StopContainerRequest>,
    ) -> Result<Response<v1::StopContainerResponse>, Status> {
        let request = request.into_inner();
        self.note(format!("stop {:?} {:?}", request.timeout_seconds, request.signal));
        Ok(Response::new(v1::StopContainerResponse { already_stopped: request.container == "stopped" }))
    }

    async fn kill_container(
        &self,
        request: Request<v1::KillContainerRequest>,
    ) -> Result<Response<v1::KillContainerResponse>, Status> {
        let request = request.into_inner();
        if request.container == "stopped" {
            return Err(Status::failed_precondition("cannot kill container: stopped: container abc is not running"));
        }
        self.note(format!("kill {}", request.signal));
        Ok(Response::new(v1::KillContainerResponse {}))
    }

    async fn restart_container(
        &self,
        request: Request<v1::RestartContainerRequest>,
    ) -> Result<Response<v1::RestartContainerResponse>, Status> {
        self.note(format!("restart {:?}", request.into_inner().timeout_seconds));
        Ok(Response::new(v1::RestartContainerResponse {}))
    }

    async fn remove_container(
        &self,
        request: Request<v1::RemoveContainerRequest>,
    ) -> Result<Response<v1::RemoveContainerResponse>, Status> {
        let request = request.into_inner();
        self.note(format!("remove force={} volumes={}", request.force, request.volumes));
        Ok(Response::new(v1::RemoveContainerResponse {}))
    }

    async fn rename_container(
        &self,
        request: Request<v1::RenameContainerRequest>,
    ) -> Result<Response<v1::RenameContainerResponse>, Status> {
        self.note(format!("rename {}", request.into_inner().name));
        Ok(Response::new(v1::RenameContainerResponse {}))
    }

    async fn resize_container(
        &self,
        request: Request<v1::ResizeContainerRequest>,
    ) -> Result<Response<v1::ResizeContainerResponse>, Status> {
        let size = request.into_inner().size.unwrap();
        self.note(format!("resize {}x{}", size.rows, size.columns));
        Ok(Response::new(v1::ResizeContainerResponse {}))
    }

    async fn get_container_logs(
        &self,
        request: Request<v1::GetContainerLogsRequest>,
    ) -> Result<Response<Self::GetContainerLogsStream>, Status> {
        let request = request.into_inner();
        self.note(format!("logs tail={:?} since={:?}", request.tail_lines, request.since.map(|time| time.seconds)));
        let entry = |stream: v1::StdioStream, data: &str, nanos, continues| {
            let time = Some(prost_types::Timestamp { seconds: 1_795_487_350, nanos });
            Ok(v1::GetContainerLogsResponse {
                stream: stream.into(),
                data: data.into(),
                time,
                continues,
                ..Default::default()
            })
        };
        if request.container == "labelled" {
            let mut line = entry(v1::StdioStream::Stdout, "out\n", 5, false)?;
            line.attributes = [("team", "a b"), ("app", "x")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
            return Ok(Response::new(Box::pin(futures::stream::iter([Ok(line)]))));
        }
        let entries = futures::stream::iter([
            entry(v1::StdioStream::Stdout, "out", 5, false),
            entry(v1::StdioStream::Stdout, "put\n", 6, true),
            entry(v1::StdioStream::Stderr, "err\n", 7, false),
        ]);
        if request.follow {
            return Ok(Response::new(Box::pin(entries.chain(never(self)))));
        }
        Ok(Response::new(Box::pin(entries)))
    }

    async fn list_processes(
        &self,
        _request: Request<v1::ListProcessesRequest>,
    ) -> Result<Response<v1::ListProcessesResponse>, Status> {
        let process = v1::ContainerProcess {
            pid: 25149,
            container_pid: 1,
            parent_pid: 25123,
            command: "sleep 1000".into(),
            terminal: "?".into(),
            started_at: Some(prost_types::Timestamp { seconds: 1, nanos: 0 }),
            ..Default::default()
        };
        Ok(Response::new(v1::ListProcessesResponse { processes: vec![process], machine_memory_bytes: 1 << 30 }))
    }

    async fn get_isolation(
        &self,
        _request: Request<v1::GetIsolationRequest>,
    ) -> Result<Response<v1::GetIsolationResponse>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }

    async fn pause_container(
        &self,
        request: Request<v1::PauseContainerRequest>,
    ) -> Result<Response<v1::PauseContainerResponse>, Status> {
        let name = request.into_inner().container;
        no_container(&name)?;
        self.note("pause");
        if name == "paused" {
            return Err(Status::failed_precondition("Container paused is already paused"));
        }
        Ok(Response::new(v1::PauseContainerResponse {}))
    }

    async fn unpause_container(
        &self,
        request: Request<v1::UnpauseContainerRequest>,
    ) -> Result<Response<v1::UnpauseContainerResponse>, Status> {
        let name = request.into_inner().container;
        no_container(&name)?;
        self.note("unpause");
        if name == "running" {
            return Err(Status::internal("Container running is not paused"));
        }
        Ok(Response::new(v1::UnpauseContainerResponse {}))
    }

    async fn update_container(
        &self,
        request: Request<v1::UpdateContainerRequest>,
    ) -> Result<Response<v1::UpdateContainerResponse>, Status> {
        let request = request.into_inner();
        no_container(&request.container)?;
        let resources = request.resources.unwrap_or_default();
        let policy = request.restart_policy.map(|policy| policy.kind().as_str_name().to_owned());
        self.note(format!("update memory={} pids={} policy={policy:?}", resources.memory_bytes, resources.pids_limit));
        Ok(Response::new(v1::UpdateContainerResponse { warnings: vec![] }))
    }

    async fn prune_containers(
        &self,
        request: Request<v1::PruneContainersRequest>,
    ) -> Result<Response<v1::PruneContainersResponse>, Status> {
        let filters = request.into_inner().filters;
        let mut keys: Vec<_> = filters.keys().cloned().collect();
        keys.sort();
        self.note(format!("prune {}", keys.join(" ")));
        let ids = if keys.is_empty() { vec!["c1".into(), "c2".into()] } else { vec![] };
        let freed_bytes = if ids.is_empty() { 0 } else { 7 };
        Ok(Response::new(v1::PruneContainersResponse { ids, freed_bytes }))
    }

    async fn get_container_stats(
        &self,
        request: Request<v1::GetContainerStatsRequest>,
    ) -> Result<Response<Self::GetContainerStatsStream>, Status> {
        let request = request.into_inner();
        no_container(&request.container)?;
        self.note(format!("stats once={}", request.once));
        let looks = if request.once { vec![canned::look(1)] } else { vec![canned::look(1), canned::look(2)] };
        let looks = looks
            .into_iter()
            .map(move |look| Ok(if request.container == "stopped" { canned::nothing_used(look) } else { look }));
        Ok(Response::new(Box::pin(futures::stream::iter(looks))))
    }
}

fn piece(stream: v1::StdioStream, data: Vec<u8>) -> v1::AttachContainerResponse {
    v1::AttachContainerResponse { stream: stream.into(), data }
}
