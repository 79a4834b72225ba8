//! `cove.v1.Files`.

use cove_proto::v1::{self, read_files_response as read, write_files_request as write};
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::{Answers, Shared};

fn link() -> v1::FileStat {
    v1::FileStat {
        name: "sh".into(),
        size_bytes: 7,
        mode: 0o120_777,
        modified_at: Some(prost_types::Timestamp::default()),
        link_target: "/bin/busybox".into(),
    }
}

fn find(container: &str) -> Result<(), Status> {
    match container {
        "nope" => Err(Status::not_found("No such container: nope")),
        _ => Ok(()),
    }
}

#[async_trait]
impl v1::files_server::Files for Shared {
    async fn stat_file(&self, request: Request<v1::StatFileRequest>) -> Result<Response<v1::StatFileResponse>, Status> {
        let request = request.into_inner();
        find(&request.container)?;
        self.note(format!("stat {}", request.path));
        Ok(Response::new(v1::StatFileResponse { stat: Some(link()) }))
    }

    type ReadFilesStream = Answers<v1::ReadFilesResponse>;

    async fn read_files(
        &self,
        request: Request<v1::ReadFilesRequest>,
    ) -> Result<Response<Self::ReadFilesStream>, Status> {
        let request = request.into_inner();
        find(&request.container)?;
        let answers = [read::Message::Stat(link()), read::Message::Data(request.path.into_bytes())];
        let answers = answers.map(|message| Ok(v1::ReadFilesResponse { message: Some(message) }));
        Ok(Response::new(Box::pin(futures::stream::iter(answers))))
    }

    async fn write_files(
        &self,
        request: Request<Streaming<v1::WriteFilesRequest>>,
    ) -> Result<Response<v1::WriteFilesResponse>, Status> {
        let mut sent = request.into_inner();
        let mut bytes = 0;
        while let Some(piece) = sent.message().await? {
            match piece.message {
                Some(write::Message::Open(open)) => {
                    find(&open.container)?;
                    self.note(format!("write {} {} {}", open.path, open.keep_kinds, open.owned_by_user));
                }
                Some(write::Message::Data(data)) => bytes += data.len(),
                None => {}
            }
        }
        self.note(format!("{bytes} bytes"));
        Ok(Response::new(v1::WriteFilesResponse {}))
    }

    type ExportContainerStream = Answers<v1::ExportContainerResponse>;

    async fn export_container(
        &self,
        request: Request<v1::ExportContainerRequest>,
    ) -> Result<Response<Self::ExportContainerStream>, Status> {
        find(&request.into_inner().container)?;
        let pieces = ["ta", "r"].map(|piece| Ok(v1::ExportContainerResponse { data: piece.into() }));
        Ok(Response::new(Box::pin(futures::stream::iter(pieces))))
    }

    async fn list_file_changes(
        &self,
        request: Request<v1::ListFileChangesRequest>,
    ) -> Result<Response<v1::ListFileChangesResponse>, Status> {
        let container = request.into_inner().container;
        find(&container)?;
        let change = |path: &str, kind: v1::FileChangeKind| v1::FileChange { path: path.into(), kind: kind.into() };
        let changes = vec![
            change("/etc", v1::FileChangeKind::Modified),
            change("/etc/group", v1::FileChangeKind::Deleted),
            change("/etc/new", v1::FileChangeKind::Added),
        ];
        let changes = if container == "same" { Vec::new() } else { changes };
        Ok(Response::new(v1::ListFileChangesResponse { changes }))
    }

    async fn commit_container(
        &self,
        request: Request<v1::CommitContainerRequest>,
    ) -> Result<Response<v1::CommitContainerResponse>, Status> {
        let commit = request.into_inner();
        find(&commit.container)?;
        self.note(format!(
            "commit {} as {:?} by {:?} because {:?} with {:?} and {}, paused: {}",
            commit.container,
            commit.reference,
            commit.author,
            commit.message,
            commit.changes,
            String::from_utf8_lossy(&commit.config_json),
            commit.pause
        ));
        Ok(Response::new(v1::CommitContainerResponse { id: "sha256:c0".into() }))
    }
}
