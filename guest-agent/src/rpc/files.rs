//! `cove.v1.Files`.

use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use cove_proto::v1::{
    self, CommitContainerRequest, CommitContainerResponse, ExportContainerRequest, ExportContainerResponse,
    ListFileChangesRequest, ListFileChangesResponse, ReadFilesRequest, ReadFilesResponse, StatFileRequest,
    StatFileResponse, WriteFilesOpen, WriteFilesRequest, WriteFilesResponse, read_files_response as read,
    write_files_request as write,
};

use super::{chunks, error::missing};
use crate::containers::{
    Containers,
    files::{Change, ChangeKind, Commit, Destination, FileStat},
    timestamp,
};

/// `cove.v1.Files`.
#[derive(Debug, Clone)]
pub struct FilesService {
    containers: Containers,
}

impl FilesService {
    /// The service of these containers.
    #[must_use]
    pub fn new(containers: Containers) -> Self {
        Self { containers }
    }
}

#[tonic::async_trait]
impl v1::files_server::Files for FilesService {
    type ReadFilesStream = ReceiverStream<Result<ReadFilesResponse, Status>>;
    type ExportContainerStream = ReceiverStream<Result<ExportContainerResponse, Status>>;

    async fn stat_file(&self, request: Request<StatFileRequest>) -> Result<Response<StatFileResponse>, Status> {
        let StatFileRequest { container, path } = request.into_inner();
        let found = self.containers.stat_file(&container, path).await?;
        Ok(Response::new(StatFileResponse { stat: Some(stat(found)) }))
    }

    async fn read_files(&self, request: Request<ReadFilesRequest>) -> Result<Response<Self::ReadFilesStream>, Status> {
        let ReadFilesRequest { container, path } = request.into_inner();
        let (sender, receiver) = mpsc::channel(chunks::CHUNKS);
        let containers = self.containers.clone();
        tokio::spawn(async move {
            let answers = sender.clone();
            let begin = move |found| {
                let first = ReadFilesResponse { message: Some(read::Message::Stat(stat(found))) };
                let begun = answers.blocking_send(Ok(first));
                begun.map_err(|_gone| std::io::Error::from(std::io::ErrorKind::ConnectionAborted))?;
                Ok(chunks::Sender::new(answers, |data| ReadFilesResponse { message: Some(read::Message::Data(data)) }))
            };
            if let Err(error) = containers.read_files(&container, path, begin).await {
                // A client that has gone needs no error.
                let _gone = sender.send(Err(error.into())).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn write_files(
        &self,
        request: Request<Streaming<WriteFilesRequest>>,
    ) -> Result<Response<WriteFilesResponse>, Status> {
        let mut sent = request.into_inner();
        let Some(WriteFilesRequest { message: Some(write::Message::Open(open)) }) = sent.message().await? else {
            return Err(missing("where to, as its first message"));
        };
        let WriteFilesOpen { container, path, keep_kinds, owned_by_user } = open;
        let tar = chunks::receive(sent.map(|message| match message?.message {
            Some(write::Message::Data(data)) => Ok(Bytes::from(data)),
            _ => Err(missing("data")),
        }));
        self.containers.write_files(&container, Destination { path, keep_kinds, owned_by_user }, tar).await?;
        Ok(Response::new(WriteFilesResponse {}))
    }

    async fn export_container(
        &self,
        request: Request<ExportContainerRequest>,
    ) -> Result<Response<Self::ExportContainerStream>, Status> {
        let ExportContainerRequest { container } = request.into_inner();
        let (sender, receiver) = mpsc::channel(chunks::CHUNKS);
        let containers = self.containers.clone();
        tokio::spawn(async move {
            let answers = sender.clone();
            let begin = move || Ok(chunks::Sender::new(answers, |data| ExportContainerResponse { data }));
            if let Err(error) = containers.export(&container, begin).await {
                let _gone = sender.send(Err(error.into())).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn list_file_changes(
        &self,
        request: Request<ListFileChangesRequest>,
    ) -> Result<Response<ListFileChangesResponse>, Status> {
        let changes = self.containers.file_changes(&request.into_inner().container).await?;
        Ok(Response::new(ListFileChangesResponse { changes: changes.into_iter().map(change).collect() }))
    }

    async fn commit_container(
        &self,
        request: Request<CommitContainerRequest>,
    ) -> Result<Response<CommitContainerResponse>, Status> {
        let CommitContainerRequest { container, reference, author, message, changes, pause, config_json } =
            request.into_inner();
        let commit = Commit { reference, author, message, changes, pause, config_json };
        let id = self.containers.commit(&container, commit).await?;
        Ok(Response::new(CommitContainerResponse { id }))
    }
}

fn stat(found: FileStat) -> v1::FileStat {
    v1::FileStat {
        name: found.name,
        size_bytes: found.size_bytes,
        mode: found.mode,
        modified_at: timestamp(found.modified_at),
        link_target: found.link_target,
    }
}

fn change(change: Change) -> v1::FileChange {
    let kind = match change.kind {
        ChangeKind::Modified => v1::FileChangeKind::Modified,
        ChangeKind::Added => v1::FileChangeKind::Added,
        ChangeKind::Deleted => v1::FileChangeKind::Deleted,
    };
    v1::FileChange { path: format!("/{}", String::from_utf8_lossy(&change.path)), kind: kind.into() }
}
