//! `docker pull`, `push`, `login`, `search`, and their likes of `cove`, before Debian's docker-registry, with images that
//! another tool made.

use anyhow::{Context as _, Result, ensure};
use cove_tests::{
    command::{self, Done, Watched},
    image,
    registry::{self, Registry, Wire},
    world::World,
};

crate::tests![
    what_another_tool_made_is_pulled_runs_and_goes_back_with_the_same_digest,
    a_container_of_an_image_that_is_not_here_fetches_it,
    what_is_made_here_is_pushed_once_and_comes_back,
    of_an_index_the_machines_own_image_is_taken,
    all_tags_and_digests_are_pulled,
    a_locked_registry_opens_for_who_has_logged_in,
    what_a_registry_refuses_is_said_in_dockers_words,
    a_registry_that_dies_under_a_pull_is_waited_for,
    a_push_whose_connection_breaks_goes_on,
    a_pull_that_is_given_up_leaves_nothing,
    a_mirror_is_asked_before_docker_hub,
    cove_pulls_and_pushes_with_words_of_its_own,
];

/// An image whose command says its mark, with random bytes besides.
fn archive(name: &str, mark: &str, noise: usize, architecture: &str) -> Result<Vec<u8>> {
    let noise = image::noise(mark.len() as u64, noise);
    let layer = image::root_tar(&[("mark", mark.as_bytes().to_vec(), 0o644), ("noise", noise, 0o644)])?;
    let config = serde_json::json!({ "Cmd": ["cat", "/mark"], "Env": ["PATH=/bin"] });
    image::docker_archive_for(name, &layer, config, architecture)
}

fn what_another_tool_made_is_pulled_runs_and_goes_back_with_the_same_digest(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let registry = Registry::open()?;
    for format in ["oci", "v2s2"] {
        let (one, two) = (registry.name(&format!("one/{format}:1")), registry.name(&format!("two/{format}:1")));
        registry.put(&archive("x:1", format, 100_000, "amd64")?, &format!("one/{format}:1"), format)?;
        let digest = registry.digest(&format!("one/{format}:1"))?;
        let pulled = world.docker(&["pull", &one])?.ok()?;
        let lines: Vec<&str> = pulled.stdout.lines().collect();
        ensure!(lines[0] == format!("1: Pulling from one/{format}"), "{pulled}");
        for line in ["Pulling fs layer", "Verifying Checksum", "Download complete", "Pull complete"] {
            ensure!(pulled.stdout.contains(&format!(": {line}")), "no {line:?}\n{pulled}");
        }
        ensure!(pulled.stdout.contains(&format!("Digest: {digest}\nStatus: Downloaded newer image for {one}\n{one}")));
        ensure!(world.says(&["run", "--rm", &one])? == format, "its file is not what it was");
        let known = world.says(&["inspect", "-f", "{{json .RepoDigests}}", &one])?;
        ensure!(known == format!("[\"{}@{digest}\"]", registry.name(&format!("one/{format}"))), "{known}");
        let again = world.docker(&["pull", &one])?.ok()?;
        ensure!(again.stdout.contains(&format!("Status: Image is up to date for {one}")), "{again}");

        world.docker(&["tag", &one, &two])?.ok()?;
        let pushed = world.docker(&["push", &two])?.ok()?;
        ensure!(pushed.stdout.contains(&format!(": Mounted from one/{format}")), "{pushed}");
        ensure!(pushed.stdout.contains(&format!("1: digest: {digest} size: ")), "{pushed}");
        ensure!(registry.digest(&format!("two/{format}:1"))? == digest, "another digest went back");
        world.docker(&["rmi", &one, &two])?.ok()?;
    }
    Ok(())
}

fn a_container_of_an_image_that_is_not_here_fetches_it(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let registry = Registry::open()?;
    registry.put(&archive("x:1", "fetched", 1000, "amd64")?, "run:1", "oci")?;
    let name = registry.name("run:1");
    let ran = world.docker(&["run", "--rm", &name])?.ok()?;
    ensure!(ran.stdout == "fetched", "{ran}");
    let ran = ran.complains(&format!("Unable to find image '{name}' locally"))?;
    ran.complains(&format!("Status: Downloaded newer image for {name}"))?;
    world.docker(&["rmi", &name])?.ok()?;
    let ran = world.cove(&["run", "--rm", &name])?.ok()?;
    ensure!(ran.stdout == "fetched", "{ran}");
    ran.complains("is not here; it is fetched")?;
    world.docker(&["rmi", &name])?.ok()?;
    world.cove(&["run", "--rm", "--pull", "never", &name])?.exits(125)?.complains("No such image")?;
    Ok(())
}

fn what_is_made_here_is_pushed_once_and_comes_back(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let registry = Registry::open()?;
    let name = registry.name("made/here:1");
    world.docker_with(&["load"], &archive(&name, "made", 50_000, "amd64")?)?.ok()?;
    let id = world.says(&["inspect", "-f", "{{.Id}}", &name])?;
    let pushed = world.docker(&["push", &name])?.ok()?;
    ensure!(pushed.stdout.contains(": Pushed"), "{pushed}");
    let digest = registry.digest("made/here:1")?;
    ensure!(pushed.stdout.contains(&format!("1: digest: {digest} size: ")), "{pushed}");
    let again = world.docker(&["push", &name])?.ok()?;
    ensure!(again.stdout.contains(": Layer already exists"), "{again}");
    ensure!(registry.digest("made/here:1")? == digest, "the same image has two digests");
    world.docker(&["rmi", &name])?.ok()?;
    world.docker(&["pull", &name])?.ok()?;
    ensure!(world.says(&["inspect", "-f", "{{.Id}}", &name])? == id, "another image came back");
    ensure!(world.says(&["run", "--rm", &name])? == "made", "its file is not what it was");

    // To another registry, where nothing can be mounted: the host copies it.
    let other = Registry::open()?;
    let there = other.name("copied:1");
    world.docker(&["tag", &name, &there])?.ok()?;
    world.docker(&["push", &there])?.ok()?;
    ensure!(other.digest("copied:1")? == digest, "the copy has another digest");
    world.docker(&["rmi", &name, &there])?.ok()?;
    Ok(())
}

fn of_an_index_the_machines_own_image_is_taken(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let registry = Registry::open()?;
    let parts =
        [("arm64", archive("x:arm64", "theirs", 10, "arm64")?), ("amd64", archive("x:amd64", "ours", 10, "amd64")?)];
    registry::two_platforms(&registry, &parts, "both:1")?;
    let name = registry.name("both:1");
    let pulled = world.docker(&["pull", &name])?.ok()?;
    ensure!(pulled.stdout.contains(&format!("Digest: {}", registry.digest("both:1")?)), "{pulled}");
    ensure!(world.says(&["run", "--rm", &name])? == "ours", "another platform's image came");
    world.docker(&["pull", "--platform", "linux/arm64", &name])?.ok()?;
    ensure!(world.says(&["inspect", "-f", "{{.Architecture}}", &name])? == "arm64", "ours came again");
    world
        .docker(&["pull", "--platform", "linux/s390x", &name])?
        .exits(1)?
        .complains("no matching manifest for linux/s390x in the manifest list entries")?;
    world.docker(&["pull", &name])?.ok()?;
    ensure!(world.says(&["inspect", "-f", "{{.Architecture}}", &name])? == "amd64", "theirs stayed");
    // What goes back is that image, byte for byte; the index stays where it is, as with dockerd.
    let copy = registry.name("copy:1");
    world.docker(&["tag", &name, &copy])?.ok()?;
    world.docker(&["push", &copy])?.ok()?;
    ensure!(registry.digest("copy:1")? == registry.digest_for("both:1", "amd64")?, "another digest went back");
    world.docker(&["rmi", &copy])?.ok()?;
    let seen = curl(world, &format!("/distribution/{name}/json"))?;
    ensure!(seen["Platforms"].as_array().map(Vec::len) == Some(2), "{seen}");
    ensure!(seen["Descriptor"]["digest"] == registry.digest("both:1")?.as_str(), "{seen}");
    world.docker(&["rmi", &name])?.ok()?;
    Ok(())
}

fn all_tags_and_digests_are_pulled(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let registry = Registry::open()?;
    for tag in ["1", "2"] {
        registry.put(&archive("x:1", tag, 10, "amd64")?, &format!("many:{tag}"), "oci")?;
    }
    let name = registry.name("many");
    let all = world.docker(&["pull", "-a", &name])?.ok()?;
    ensure!(all.stdout.contains("1: Pulling from many") && all.stdout.contains("2: Pulling from many"), "{all}");
    ensure!(all.stdout.ends_with(&format!("Status: Downloaded newer image for {name}\n{name}")), "{all}");
    ensure!(world.says(&["run", "--rm", &format!("{name}:2")])? == "2", "the second is not what it was");
    let sent = world.docker(&["push", "-a", "-q", &name])?.ok()?;
    ensure!(sent.stdout == name, "{sent}");
    let by_digest = format!("{name}@{}", registry.digest("many:1")?);
    world.docker(&["rmi", &format!("{name}:1"), &format!("{name}:2")])?.ok()?;
    let quiet = world.docker(&["pull", "-q", &by_digest])?.ok()?;
    ensure!(quiet.stdout == by_digest, "{quiet}");
    ensure!(world.says(&["run", "--rm", &by_digest])? == "1", "the first is not what it was");
    ensure!(
        world.says(&["images", "-q", "--filter", "dangling=false", &format!("{name}:1")])?.is_empty(),
        "it has a tag"
    );
    world.docker(&["rmi", &by_digest])?.ok()?;
    Ok(())
}

fn a_locked_registry_opens_for_who_has_logged_in(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let registry = Registry::locked()?;
    let name = registry.name("locked/x:1");
    world.docker_with(&["load"], &archive(&name, "locked", 10, "amd64")?)?.ok()?;
    let refused = format!("Head \"https://{}/v2/locked/x/manifests/1\": no basic auth credentials", registry.address);
    world.docker(&["pull", &name])?.exits(1)?.complains(&refused)?;
    world.docker(&["push", &name])?.exits(1)?.complains("no basic auth credentials")?;
    let login = |password: &str| {
        let arguments = ["login", "-u", registry::USER, "--password-stdin", &registry.address];
        world.docker_with(&arguments, password.as_bytes())
    };
    let wrong = format!("login attempt to https://{}/v2/ failed with status: 401 Unauthorized", registry.address);
    login("wrong")?.exits(1)?.complains(&wrong)?;
    login(registry::PASSWORD)?.ok()?;
    world.docker(&["push", &name])?.ok()?;
    world.docker(&["rmi", &name])?.ok()?;
    world.docker(&["pull", &name])?.ok()?;
    // Cove's own command looks into docker's configuration itself.
    world.docker(&["rmi", &name])?.ok()?;
    world.cove(&["pull", &name])?.ok()?;
    ensure!(world.says(&["run", "--rm", &name])? == "locked", "its file is not what it was");
    world.docker(&["rmi", &name])?.ok()?;
    world.docker(&["logout", &registry.address])?.ok()?;
    Ok(())
}

fn what_a_registry_refuses_is_said_in_dockers_words(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let mut registry = Registry::open()?;
    let name = registry.name("absent/x");
    world
        .docker(&["pull", &format!("{name}:1")])?
        .exits(1)?
        .complains(&format!("manifest for {name}:1 not found: manifest unknown: manifest unknown"))?;
    world
        .docker(&["pull", "-a", &name])?
        .exits(1)?
        .complains(&format!("repository {name} not found: name unknown: repository name not known to registry"))?;
    world
        .docker(&["push", &format!("{name}:1")])?
        .exits(1)?
        .complains(&format!("An image does not exist locally with the tag: {name}"))?;
    world.docker(&["search", &format!("{}/x", registry.address)])?.exits(1)?.complains("Unexpected status code 404")?;
    registry.kill();
    let (address, refused) = (&registry.address, "connect: connection refused");
    world
        .docker(&["pull", &name])?
        .exits(1)?
        .complains(&format!("Get \"http://{address}/v2/\": dial tcp {address}: {refused}"))?;
    world.docker(&["run", "--rm", &name])?.exits(125)?.complains(refused)?;
    Ok(())
}

fn a_registry_that_dies_under_a_pull_is_waited_for(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let mut registry = Registry::open()?;
    registry.put(&archive("x:1", "whole", 8 << 20, "amd64")?, "dies:1", "oci")?;
    let wire = Wire::that_breaks(&registry.address, 3 << 20)?;
    let name = format!("{}/dies:1", wire.address);
    let pulling = Watched::start(world.docker_command(&["pull", &name]))?;
    wire.has_met_its_fate()?;
    registry.kill();
    registry.run()?;
    let (code, lines) = pulling.end()?;
    ensure!(code == 0, "{lines:#?}");
    ensure!(world.says(&["run", "--rm", &name])? == "whole", "its file is not what it was");
    world.docker(&["rmi", &name])?.ok()?;
    Ok(())
}

fn a_push_whose_connection_breaks_goes_on(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let registry = Registry::open()?;
    let wire = Wire::that_breaks_sending(&registry.address, 3 << 20)?;
    let name = format!("{}/broke:1", wire.address);
    world.docker_with(&["load"], &archive(&name, "sent", 8 << 20, "amd64")?)?.ok()?;
    let id = world.says(&["inspect", "-f", "{{.Id}}", &name])?;
    let pushed = world.docker(&["push", &name])?.ok()?;
    wire.has_met_its_fate()?;
    ensure!(pushed.stdout.contains(": Retrying in 1 second"), "it was not told that it broke\n{pushed}");
    ensure!(pushed.stdout.contains(&format!("1: digest: {} size: ", registry.digest("broke:1")?)), "{pushed}");
    world.docker(&["rmi", &name])?.ok()?;
    world.docker(&["pull", &name])?.ok()?;
    ensure!(world.says(&["inspect", "-f", "{{.Id}}", &name])? == id, "another image came back");
    world.docker(&["rmi", &name])?.ok()?;
    Ok(())
}

fn a_pull_that_is_given_up_leaves_nothing(world: &World) -> Result<()> {
    // Alone: the lists before and after are compared.
    let _use = world.alone();
    let before = world.says(&["images", "-aq", "--no-trunc"])?;
    let half = HalfPulled::begin(world)?.given_up();
    ensure!(world.says(&["images", "-aq", "--no-trunc"])? == before, "half an image is there");
    half.comes_whole(world)
}

/// An image of which a half has come, and whose registry is gone.
pub(crate) struct HalfPulled {
    registry: Registry,
    wire: Wire,
    pulling: Option<Watched>,
}

impl HalfPulled {
    pub(crate) fn begin(world: &World) -> Result<Self> {
        let mut registry = Registry::open()?;
        registry.put(&archive("x:1", "half", 8 << 20, "amd64")?, "half:1", "oci")?;
        let wire = Wire::that_breaks(&registry.address, 3 << 20)?;
        let name = format!("{}/half:1", wire.address);
        let pulling = Watched::start(world.docker_command(&["pull", &name]))?;
        wire.has_met_its_fate()?;
        registry.kill();
        Ok(Self { registry, wire, pulling: Some(pulling) })
    }

    /// The client goes away; nobody waits for it any more.
    pub(crate) fn given_up(mut self) -> Self {
        drop(self.pulling.take());
        self
    }

    /// Once the registry is there again, all of it can be had.
    pub(crate) fn comes_whole(mut self, world: &World) -> Result<()> {
        let name = format!("{}/half:1", self.wire.address);
        self.registry.run()?;
        world.docker(&["pull", &name])?.ok()?;
        ensure!(world.says(&["run", "--rm", &name])? == "half", "its file is not what it was");
        world.docker(&["rmi", &name])?.ok().map(drop)
    }
}

fn a_mirror_is_asked_before_docker_hub(world: &World) -> Result<()> {
    // Alone: the settings are everybody's.
    let _use = world.alone();
    let registry = Registry::open()?;
    registry.put(&archive("x:1", "mirrored", 10, "amd64")?, "library/cove-mirrored:1", "oci")?;
    let mirror = format!("http://{}", registry.address);
    let set = world.cove(&["settings", "--registry-mirror", &mirror])?.ok()?;
    ensure!(set.stdout.contains(&mirror), "{set}");
    ensure!(world.says(&["info", "-f", "{{json .RegistryConfig.Mirrors}}"])? == format!("[\"{mirror}/\"]"));
    ensure!(world.says(&["run", "--rm", "cove-mirrored:1"])? == "mirrored", "another image came");
    world.docker(&["rmi", "cove-mirrored:1"])?.ok()?;
    world.cove(&["settings", "--registry-mirror", "mirror.example"])?.exits(1)?.complains("invalid mirror")?;
    world.cove(&["settings", "--registry-mirror", ""])?.ok()?;
    ensure!(world.says(&["info", "-f", "{{json .RegistryConfig.Mirrors}}"])? == "null");
    Ok(())
}

fn cove_pulls_and_pushes_with_words_of_its_own(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let registry = Registry::open()?;
    registry.put(&archive("x:1", "own", 10, "amd64")?, "own:1", "oci")?;
    let (name, digest) = (registry.name("own:1"), registry.digest("own:1")?);
    let pulled = world.cove(&["pull", &name])?.ok()?;
    ensure!(pulled.stdout == format!("{name} is here: {digest}"), "{pulled}");
    let pulled = pulled.complains("1 of own:")?.complains("is there")?;
    ensure!(!pulled.stderr.contains('\x1b'), "escapes where no terminal is\n{pulled}");
    let again = world.cove(&["--format", "json", "pull", &name])?.ok()?.json()?;
    ensure!(again[0]["up_to_date"] == true && again[0]["digest"] == digest.as_str(), "{again}");
    let pushed = world.cove(&["push", &name])?.ok()?;
    ensure!(pushed.stdout == format!("1 has gone: {digest}"), "{pushed}");
    pushed.complains("is there already")?;
    world.cove(&["pull", &registry.name("none")])?.exits(1)?.complains("not found: manifest unknown")?;
    world.docker(&["rmi", &name])?.ok()?;
    Ok(())
}

fn curl(world: &World, path: &str) -> Result<serde_json::Value> {
    let mut curl = world.command("curl");
    curl.args(["--silent", "--unix-socket"]).arg(world.socket("docker")).arg(format!("http://docker{path}"));
    command::run(curl, &[]).and_then(Done::ok).context("ask the API")?.json()
}
