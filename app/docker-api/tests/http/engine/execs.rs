//! `cove.v1.Execs`. An exec's id says what it does: "missing" cannot be run, all others echo.

use cove_proto::v1::{self, start_exec_request::Message};
use futures::StreamExt as _;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::{Answers, Shared};

#[async_trait]
impl v1::execs_server::Execs for Shared {
    type StartExecStream = Answers<v1::StartExecResponse>;

    async fn create_exec(
        &self,
        request: Request<v1::CreateExecRequest>,
    ) -> Result<Response<v1::CreateExecResponse>, Status> {
        let spec = request.into_inner().spec.unwrap();
        self.note(format!(
            "exec {:?} tty={} in={} size={:?}",
            spec.args,
            spec.tty,
            spec.stdin,
            spec.terminal.map(|size| (size.rows, size.columns))
        ));
        Ok(Response::new(v1::CreateExecResponse { id: "e1".into() }))
    }

    async fn start_exec(
        &self,
        request: Request<Streaming<v1::StartExecRequest>>,
    ) -> Result<Response<Self::StartExecStream>, Status> {
        let mut input = request.into_inner();
        let Some(Message::Open(open)) = input.message().await?.and_then(|first| first.message) else {
            return Err(Status::invalid_argument("no open"));
        };
        self.note(format!("start {} detach={}", open.exec, open.detach));
        if open.exec == "missing" {
            return Err(Status::invalid_argument("exec: \"nosuch\": executable file not found in $PATH"));
        }
        if open.detach {
            return Ok(Response::new(Box::pin(futures::stream::empty())));
        }
        if open.exec == "let-go" {
            self.note(format!("detach keys {}", open.detach_keys));
            return Ok(Response::new(Box::pin(futures::stream::iter([Err(Status::aborted("let go"))]))));
        }
        let echo = input.map(|request| {
            let (stream, data) = match request?.message {
                Some(Message::Stdin(data)) => (v1::StdioStream::Stdout, data),
                _ => (v1::StdioStream::Stderr, b"bye\n".to_vec()),
            };
            Ok(v1::StartExecResponse { stream: stream.into(), data })
        });
        Ok(Response::new(Box::pin(echo)))
    }

    async fn get_exec(&self, request: Request<v1::GetExecRequest>) -> Result<Response<v1::GetExecResponse>, Status> {
        let id = request.into_inner().exec;
        if id == "nope" {
            return Err(Status::not_found("No such exec instance: nope"));
        }
        let spec = v1::ExecSpec {
            args: vec!["sleep".into(), "1".into()],
            stdin: id == "e1",
            client_data: (id == "let-go")
                .then(|| ("docker.detach_keys".to_owned(), "ctrl-b".to_owned()))
                .into_iter()
                .collect(),
            stdout: true,
            stderr: true,
            ..Default::default()
        };
        let exit_code = (id == "missing").then_some(127);
        let exec = v1::Exec { id, container_id: "c".into(), spec: Some(spec), running: false, pid: 0, exit_code };
        Ok(Response::new(v1::GetExecResponse { exec: Some(exec) }))
    }

    async fn resize_exec(
        &self,
        request: Request<v1::ResizeExecRequest>,
    ) -> Result<Response<v1::ResizeExecResponse>, Status> {
        let size = request.into_inner().size.unwrap();
        self.note(format!("resize {}x{}", size.rows, size.columns));
        Ok(Response::new(v1::ResizeExecResponse {}))
    }
}
