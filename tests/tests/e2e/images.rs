//! `docker load`, `save`, `import`, `images`, `tag`, `rmi`.

use std::collections::BTreeMap;
use std::io::Read as _;

use anyhow::{Context as _, Result, ensure};
use cove_tests::{
    command,
    image::{self, BUSYBOX},
    world::World,
};

crate::tests![
    what_is_saved_and_loaded_again_has_the_same_digests,
    a_root_file_system_can_be_imported,
    references_are_given_and_taken,
    images_are_listed_with_their_facts,
    cove_loads_and_saves_too,
    the_first_image_is_there_from_the_start,
    images_without_a_name_are_pruned,
    the_disks_use_is_told,
    images_that_were_committed_on_one_another_go_together,
    the_store_is_whole,
];

fn what_is_saved_and_loaded_again_has_the_same_digests(world: &World) -> Result<()> {
    let _use = world.shared();
    let name = "cove-test/saved:1";
    let archive =
        image::docker_archive(name, &image::root_tar(&[("mark", b"saved".to_vec(), 0o644)])?, cmd("cat /mark"))?;
    world.docker_with(&["load"], &archive)?.ok()?;
    let before = world.says(&["inspect", "-f", "{{.Id}} {{json .RootFS.Layers}}", name])?;
    let first = world.docker(&["save", name])?.ok()?.bytes;
    world.docker(&["rmi", name])?.ok()?;
    world.docker(&["inspect", name])?.exits(1)?;
    let loaded = world.docker_with(&["load"], &first)?.ok()?;
    ensure!(loaded.stdout.contains(&format!("Loaded image: {name}")), "{loaded}");
    let after = world.says(&["inspect", "-f", "{{.Id}} {{json .RootFS.Layers}}", name])?;
    ensure!(before == after, "{before} became {after}");
    let second = world.docker(&["save", name])?.ok()?.bytes;
    ensure!(digests(&first)? == digests(&second)?, "the second archive has other files");
    ensure!(world.says(&["run", "--rm", name])? == "saved", "its file is not what it was");
    world.docker(&["rmi", name])?.ok()?;
    Ok(())
}

fn a_root_file_system_can_be_imported(world: &World) -> Result<()> {
    let _use = world.shared();
    let root = image::root_tar(&[("mark", b"imported".to_vec(), 0o600)])?;
    let arguments = ["import", "-c", "CMD [\"cat\", \"/mark\"]", "-c", "ENV PATH=/bin", "-", "cove-test/imported:1"];
    let id = world.docker_with(&arguments, &root)?.ok()?.stdout;
    ensure!(id.starts_with("sha256:"), "{id}");
    ensure!(world.says(&["run", "--rm", "cove-test/imported:1"])? == "imported", "its file is not what it was");
    world.docker(&["rmi", "cove-test/imported:1"])?.ok()?;
    Ok(())
}

fn references_are_given_and_taken(world: &World) -> Result<()> {
    let _use = world.shared();
    world.docker(&["tag", BUSYBOX, "host.example:5000/other:2"])?.ok()?;
    let ids = world.says(&["inspect", "-f", "{{.Id}}", BUSYBOX, "host.example:5000/other:2"])?;
    let ids: Vec<&str> = ids.lines().collect();
    ensure!(ids.len() == 2 && ids[0] == ids[1], "{ids:?}");
    let removed = world.docker(&["rmi", "host.example:5000/other:2"])?.ok()?;
    ensure!(removed.stdout == "Untagged: host.example:5000/other:2", "{removed}");
    world.docker(&["inspect", BUSYBOX])?.ok()?;
    // In use: the image stays.
    let container = world.says(&["create", BUSYBOX, "true"])?;
    let refused = world.docker(&["rmi", BUSYBOX])?.exits(1)?;
    refused.complains("conflict")?;
    world.docker(&["rm", &container])?.ok()?;
    Ok(())
}

fn images_are_listed_with_their_facts(world: &World) -> Result<()> {
    let _use = world.shared();
    let listed =
        world.says(&["images", "--no-trunc", "--format", "{{.Repository}}|{{.Tag}}|{{.ID}}", "cove-test/busybox"])?;
    let id = world.says(&["inspect", "-f", "{{.Id}}", BUSYBOX])?;
    ensure!(listed == format!("cove-test/busybox|latest|{id}"), "{listed}");
    let facts =
        world.says(&["inspect", "-f", "{{.Os}}/{{.Architecture}} {{.Config.Cmd}} {{len .RootFS.Layers}}", BUSYBOX])?;
    ensure!(facts == "linux/amd64 [sh] 1", "{facts}");
    let history = world.says(&["history", "--format", "{{.CreatedBy}}", BUSYBOX])?;
    ensure!(history == "cove-tests", "{history}");
    Ok(())
}

fn cove_loads_and_saves_too(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = world.scratch()?;
    let file = folder.path().join("image.tar");
    let file = file.to_str().context("a path in UTF-8")?;
    world.cove(&["save", "-o", file, "cove/hello"])?.ok()?;
    let loaded = world.cove(&["load", "-i", file])?.ok()?;
    ensure!(loaded.stdout == "Loaded image: cove/hello:latest", "{loaded}");
    let piped = command::run(world.cove_command(&["load"]), &std::fs::read(file)?)?.ok()?;
    ensure!(piped.stdout == "Loaded image: cove/hello:latest", "{piped}");
    Ok(())
}

fn the_first_image_is_there_from_the_start(world: &World) -> Result<()> {
    let _use = world.shared();
    let listed = world.cove(&["images"])?.ok()?.stdout;
    ensure!(listed.lines().any(|line| line.starts_with("cove/hello ")), "{listed}");
    Ok(())
}

fn cmd(script: &str) -> serde_json::Value {
    serde_json::json!({ "Cmd": ["sh", "-c", script], "Env": ["PATH=/bin"] })
}

/// The files of an archive and their digests.
fn digests(archive: &[u8]) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.insert(entry.path()?.display().to_string(), image::digest(&content));
    }
    ensure!(files.contains_key("manifest.json"), "no docker archive: {:?}", files.keys());
    Ok(files)
}

/// Two images after another under one name: the first is without one then.
fn nameless(world: &World, name: &str) -> Result<String> {
    let load = |mark: &str| -> Result<String> {
        let root = image::root_tar(&[("mark", mark.as_bytes().repeat(1000), 0o644)])?;
        world.docker_with(&["load"], &image::docker_archive(name, &root, cmd("cat /mark"))?)?.ok()?;
        world.says(&["inspect", "-f", "{{.Id}}", name])
    };
    let first = load("first")?;
    ensure!(load("second")? != first, "two images");
    Ok(first)
}

fn images_without_a_name_are_pruned(world: &World) -> Result<()> {
    let _use = world.alone();
    let name = "cove-test/pruned:1";
    let first = nameless(world, name)?;
    let dangling = world.says(&["images", "-q", "--no-trunc", "--filter", "dangling=true"])?;
    ensure!(dangling.lines().any(|id| id == first), "{dangling}");
    let kept = world.says(&["image", "prune", "-f", "--filter", "label=cove-test=none"])?;
    ensure!(kept == "Total reclaimed space: 0B", "{kept}");
    let pruned = world.says(&["image", "prune", "-f"])?;
    ensure!(pruned.contains(&format!("deleted: {first}")) && !pruned.contains("space: 0B"), "{pruned}");
    ensure!(world.says(&["run", "--rm", name])?.starts_with("second"), "the other one stays");
    // With a name, as long as a container is made from it, it stays as well.
    let container = world.says(&["create", "--label", "keep", name])?;
    let since = ["image", "prune", "-a", "-f", "--filter", "label!=cove-test", "--filter", "until=2020-01-01T00:00:00"];
    ensure!(world.says(&since)?.ends_with("space: 0B"), "none is that old");
    world.docker(&["rm", &container])?.ok()?;
    world.docker(&["image", "prune", "-f", "--filter", "x=y"])?.exits(1)?.complains("invalid filter 'x'")?;
    world.docker(&["rmi", name])?.ok()?;
    Ok(())
}

fn the_disks_use_is_told(world: &World) -> Result<()> {
    let _use = world.alone();
    let bytes = || -> Result<u64> {
        let verbose =
            world.says(&["system", "df", "-v", "--format", "{{range .Images}}{{.ID}} {{.UniqueSize}}\n{{end}}"])?;
        ensure!(verbose.lines().count() > 0, "{verbose}");
        let usage = world.says(&["system", "df", "--format", "{{.Type}}|{{.TotalCount}}|{{.Active}}|{{.Size}}"])?;
        let images = usage.lines().find(|line| line.starts_with("Images|")).context("images")?;
        Ok(images.split('|').nth(1).context("a number")?.parse()?)
    };
    let before = bytes()?;
    let name = "cove-test/df:1";
    nameless(world, name)?;
    ensure!(bytes()? == before + 2, "two images more");
    let container =
        world.says(&["run", "-d", "-v", "cove-df:/v", name, "sh", "-c", "echo 12345 > /v/f; sleep 1000"])?;
    let verbose = world.says(&["system", "df", "-v"])?;
    ensure!(verbose.lines().any(|line| line.starts_with("cove-df") && line.contains('1')), "{verbose}");
    world.docker(&["rm", "-f", &container])?.ok()?;
    world.docker(&["volume", "rm", "cove-df"])?.ok()?;
    world.docker(&["image", "prune", "-f"])?.ok()?;
    world.docker(&["rmi", name])?.ok()?;
    ensure!(bytes()? == before, "as before");
    Ok(())
}

fn images_that_were_committed_on_one_another_go_together(world: &World) -> Result<()> {
    let _use = world.alone();
    let commit = |from: &str, name: &str| -> Result<String> {
        let container = world.says(&["run", "-d", from, "sh", "-c", &format!("echo {name} >> /steps")])?;
        world.docker(&["wait", &container])?.ok()?;
        let id = match name {
            "" => world.says(&["commit", &container])?,
            name => world.says(&["commit", &container, name])?,
        };
        world.docker(&["rm", &container])?.ok()?;
        Ok(id)
    };
    let first = commit(BUSYBOX, "")?;
    let second = commit(&first, "cove-test/steps:2")?;
    ensure!(world.says(&["inspect", "-f", "{{.Parent}}", &second])? == first, "its parent");
    let refused = world.docker(&["rmi", &first])?.exits(1)?;
    refused.complains("(cannot be forced) - image has dependent child images")?;
    let listed = world.says(&["images", "-q", "--no-trunc"])?;
    ensure!(!listed.contains(&first), "a step on the way is not listed");
    ensure!(world.says(&["images", "-a", "-q", "--no-trunc"])?.contains(&first), "but with -a");
    for (dangling, shown) in [("dangling=true", ""), ("dangling=false", second.as_str())] {
        let listed = world.says(&["images", "-a", "-q", "--no-trunc", "--filter", dangling])?;
        let listed: Vec<&str> = listed.lines().filter(|id| *id == first || *id == second).collect();
        ensure!(listed.concat() == shown, "{dangling}: {listed:?}");
    }
    let removed = world.says(&["rmi", "cove-test/steps:2"])?;
    ensure!(
        removed.contains(&format!("Deleted: {second}")) && removed.contains(&format!("Deleted: {first}")),
        "{removed}"
    );
    Ok(())
}

fn the_store_is_whole(world: &World) -> Result<()> {
    let _use = world.alone();
    world.only_cove();
    let said = world.cove(&["doctor", "--store", "--content"])?.ok()?;
    ensure!(said.stdout.contains("all is there and all is needed"), "{said}");
    Ok(())
}
