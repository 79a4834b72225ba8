//! `cove share ls`.

use cove_proto::v1::{Container, ListContainersRequest, ListSharesRequest, Share};
use serde::Serialize;

use crate::{
    engine::{self, Engine},
    failure::Outcome,
    output::{self, Format, Table},
};

/// A share, for programs.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    id: String,
    path: String,
    read_only: bool,
    present: bool,
    docker_api: bool,
    containers: Vec<String>,
}

/// Prints the list. A machine that does not run is not started for it; nobody sees anything then.
pub(super) async fn run(format: Format) -> Outcome {
    let engine = Engine::reach().await?;
    let shares = engine.shares().list_shares(ListSharesRequest {}).await?.into_inner().shares;
    let request = engine::without_waking(ListContainersRequest { all: true, ..Default::default() });
    let containers = match engine.containers().list_containers(request).await {
        Ok(list) => list.into_inner().containers,
        Err(status) if status.code() == tonic::Code::Unavailable => Vec::new(),
        Err(status) => return Err(status.into()),
    };
    let rows: Vec<Row> = shares.into_iter().map(|share| row(share, &containers)).collect();
    match format {
        Format::Json => output::json(&rows)?,
        Format::Text => output::text(&text(&rows))?,
    }
    Ok(0)
}

fn row(share: Share, containers: &[Container]) -> Row {
    let sees = |container: &&Container| {
        let mounts = container.spec.iter().flat_map(|spec| &spec.mounts);
        mounts.into_iter().any(|mount| mount.share_id == share.id)
    };
    let containers = containers.iter().filter(sees).map(|container| container.name.clone()).collect();
    let Share { id, path, read_only, present, docker_api } = share;
    Row { id, path, read_only, present, docker_api, containers }
}

fn text(rows: &[Row]) -> String {
    let mut table = Table::new(&["PATH", "ACCESS", "CONTAINERS"]);
    for Row { path, read_only, present, docker_api, containers, .. } in rows {
        let access = match (docker_api, present, read_only) {
            (true, true, _) => "Docker's API",
            (true, false, _) => "off",
            (false, false, _) => "missing",
            (false, true, true) => "read-only",
            (false, true, false) => "read-write",
        };
        table.row([path.clone(), access.to_owned(), containers.join(", ")]);
    }
    table.render("")
}

#[cfg(test)]
mod tests {
    use cove_proto::v1::{ContainerSpec, Mount};

    use super::*;

    #[test]
    fn who_sees_it_is_named() {
        let mounts = vec![Mount { share_id: "a".into(), ..Default::default() }];
        let spec = Some(ContainerSpec { mounts, ..Default::default() });
        let containers = [Container { name: "web".into(), spec, ..Default::default() }, Container::default()];
        let share = |id: &str, path: &str, present| Share {
            id: id.into(),
            path: path.into(),
            present,
            read_only: true,
            docker_api: id == "c",
        };
        let rows = [("a", "/src", true), ("b", "/gone", false), ("c", "/var/run/docker.sock", true)]
            .map(|(id, path, present)| row(share(id, path, present), &containers));
        let lines: Vec<String> =
            text(&rows).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            ["PATH ACCESS CONTAINERS", "/src read-only web", "/gone missing", "/var/run/docker.sock Docker's API"]
        );
    }
}
