//! `POST /containers/create`.

use cove_proto::v1;
use http::StatusCode;
use serde_json::json;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::spec;

/// Makes a container.
pub(in crate::routes) async fn create(mut call: Call) -> Result<Reply, Error> {
    let spec::Wanted { mut spec, warnings, made } = spec::from_body(call.json().await?)?;
    require_platform(&call, &spec.image).await?;
    grant(&call, &mut spec, &made).await?;
    let name = call.query.get("name").trim_start_matches('/').to_owned();
    let request = v1::CreateContainerRequest { name, spec: Some(spec) };
    let created = call.containers().create_container(request).await?.into_inner();
    let warnings: Vec<_> = warnings.into_iter().chain(created.warnings).collect();
    Ok(Reply::json(StatusCode::CREATED, &json!({"Id": created.id, "Warnings": warnings})))
}

/// Has the host let the container see the folders that it is to see.
async fn grant(call: &Call, spec: &mut v1::ContainerSpec, made: &[String]) -> Result<(), Error> {
    for mount in spec.mounts.iter_mut().filter(|mount| mount.kind() == v1::MountKind::Bind) {
        let create_missing = made.contains(&mount.target);
        let request = v1::GrantShareRequest { path: mount.source.clone(), read_only: mount.read_only, create_missing };
        let granted = call.shares().grant_share(request).await.map_err(refused)?.into_inner();
        mount.share_id = granted.share.unwrap_or_default().id;
    }
    Ok(())
}

/// dockerd has one status for what is wrong with a mount.
fn refused(status: tonic::Status) -> Error {
    match status.code() {
        tonic::Code::NotFound | tonic::Code::InvalidArgument => {
            Error::BadRequest(format!("invalid mount config for type \"bind\": {}", status.message()))
        }
        _ => Error::Engine(status),
    }
}

/// Refuses an image of another platform than the one that was asked for.
async fn require_platform(call: &Call, reference: &str) -> Result<(), Error> {
    let wanted = call.query.get("platform");
    if wanted.is_empty() {
        return Ok(());
    }
    let unknown =
        || Error::BadRequest(format!("{wanted:?}: unknown operating system or architecture: invalid argument"));
    let (os, arch) = wanted.split_once('/').ok_or_else(unknown)?;
    let (arch, variant) = arch.split_once('/').unwrap_or((arch, ""));
    let request = v1::GetImageRequest { image: reference.to_owned() };
    let image = call.images().get_image(request).await?.into_inner().image.unwrap_or_default();
    let arch = match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        arch => arch,
    };
    let same_variant = variant.is_empty() || image.variant.is_empty() || variant == image.variant;
    if os == image.os && arch == image.arch && same_variant {
        return Ok(());
    }
    Err(Error::NotFound(format!(
        "image with reference {reference} was found but its platform ({}/{}) does not match the specified platform \
         ({wanted})",
        image.os, image.arch
    )))
}
