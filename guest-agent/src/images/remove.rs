//! Takes references away, and images with their last one. The rules, their order and their words are dockerd's
//! (`daemon/images/image_delete.go`).

use std::collections::BTreeSet;

use super::catalogue::View;
use super::digest::short;
use super::lookup::find;
use super::moments::moment;
use super::reference::Reference;
use super::{ImageStore, ImagesError};

/// One step of a removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// A reference, familiar form.
    Untagged(String),
    /// An image.
    Deleted(String),
    /// A layer by its chain id, and the bytes of its files.
    Layer(String, u64),
}

/// The image that is being removed.
struct Target {
    id: String,
    references: Vec<Reference>,
    users: Vec<String>,
    /// Whether images were made on it that are still there.
    has_children: bool,
}

impl ImageStore {
    /// Removes the reference, and the image if it was its last; or the image, if named by its id.
    ///
    /// # Errors
    /// There is no such image; or it is in use or has several references, and `force` is not given or would not help.
    pub fn remove(&self, image: &str, force: bool) -> Result<Vec<Removed>, ImagesError> {
        let target = self.target(image)?;
        if is_id_prefix(&target.id, image) {
            self.remove_by_id(&target, force)
        } else {
            self.remove_by_reference(&target, image, force)
        }
    }

    /// The same, and then the images that it was made on, as long as nothing names or needs them.
    ///
    /// # Errors
    /// As [`Self::remove`].
    pub fn remove_with_parents(&self, image: &str, force: bool) -> Result<Vec<Removed>, ImagesError> {
        let mut parent = self.resolve(image)?.parent;
        let mut removed = self.remove(image, force)?;
        let mut gone = removed.iter().any(|step| matches!(step, Removed::Deleted(_)));
        while gone && !parent.is_empty() {
            let target = self.target(&parent)?;
            gone = target.references.is_empty() && target.users.is_empty() && !target.has_children;
            if gone {
                parent = self.resolve(&target.id)?.parent;
                removed.extend(self.carry_out(&target, &[], true)?);
            }
        }
        Ok(removed)
    }

    fn target(&self, image: &str) -> Result<Target, ImagesError> {
        let view = self.0.catalogue.read()?;
        let id = find(&view, image)?;
        let mut references = Vec::new();
        for (reference, _) in view.references()?.iter().filter(|(_, of)| *of == id) {
            references.push(Reference::parse(reference)?);
        }
        let has_children = children(&view)?.iter().any(|(_, parent)| *parent == id);
        drop(view);
        let users = self.users(&id)?;
        Ok(Target { id, references, users, has_children })
    }

    fn remove_by_reference(&self, target: &Target, written: &str, force: bool) -> Result<Vec<Removed>, ImagesError> {
        if let (false, true, Some(user)) = (force, is_single(&target.references), target.users.first()) {
            return Err(ImagesError::ReferenceInUse {
                reference: written.to_owned(),
                container: short(user).to_owned(),
                image: short(&target.id).to_owned(),
            });
        }
        let named = Reference::parse(written)?.or_latest();
        let (mut gone, mut left): (Vec<Reference>, Vec<Reference>) =
            target.references.iter().cloned().partition(|reference| reference.canonical() == named.canonical());
        let tag_is_left = left.iter().any(|other| !other.has_digest() && other.name() == named.name());
        if !named.has_digest() && !tag_is_left {
            // Digests of a repository go with its last tag.
            let (digests, others) =
                left.into_iter().partition(|other| other.has_digest() && other.name() == named.name());
            gone.extend::<Vec<Reference>>(digests);
            left = others;
        }
        // A container that runs, or that is stopped and force is not given, keeps the image, now without a name.
        let running = target.users.iter().any(|user| self.is_running(user));
        let keep = !left.is_empty() || running || target.has_children || (!force && !target.users.is_empty());
        self.carry_out(target, &gone, !keep)
    }

    fn remove_by_id(&self, target: &Target, force: bool) -> Result<Vec<Removed>, ImagesError> {
        let conflict =
            |hard, reason| Err(ImagesError::Undeletable { image: short(&target.id).to_owned(), hard, reason });
        if target.has_children {
            return conflict(true, "image has dependent child images".to_owned());
        }
        if let Some(user) = target.users.iter().find(|user| self.is_running(user)) {
            return conflict(true, format!("image is being used by running container {}", short(user)));
        }
        if !force && !is_single(&target.references) {
            return conflict(false, "image is referenced in multiple repositories".to_owned());
        }
        if let (false, Some(user)) = (force, target.users.first()) {
            return conflict(false, format!("image is being used by stopped container {}", short(user)));
        }
        self.carry_out(target, &target.references, true)
    }

    /// Does it, in one transaction; then removes the layers that nothing needs any more.
    fn carry_out(&self, target: &Target, gone: &[Reference], delete: bool) -> Result<Vec<Removed>, ImagesError> {
        let layers = self.0.catalogue.write(|change| {
            let record = change.image(&target.id)?.ok_or_else(|| ImagesError::NotFound(target.id.clone()))?;
            for reference in gone {
                change.remove_reference(&reference.canonical())?;
            }
            if delete {
                change.remove_image(&target.id)?;
            }
            Ok::<_, ImagesError>(record.layers)
        })?;
        moment();
        gone.iter().for_each(|_| self.tell("untag", &target.id, &target.id));
        let mut removed: Vec<Removed> = gone.iter().map(|reference| Removed::Untagged(reference.familiar())).collect();
        if delete {
            self.tell("delete", &target.id, &target.id);
            removed.push(Removed::Deleted(target.id.clone()));
            let from_the_top: Vec<String> = layers.into_iter().rev().collect();
            let layers = self.remove_unneeded(&from_the_top)?;
            removed.extend(layers.into_iter().map(|(chain, bytes)| Removed::Layer(chain, bytes)));
        }
        Ok(removed)
    }
}

/// Images that were made on another one, and that one, if both are there.
pub(super) fn children(view: &View) -> Result<Vec<(String, String)>, ImagesError> {
    let mut children = view.parents()?;
    let images: BTreeSet<String> = view.images()?.into_iter().map(|(id, _)| id).collect();
    children.retain(|(child, parent)| images.contains(child) && images.contains(parent));
    Ok(children)
}

/// Whether the user named the image by its id or the beginning of it.
fn is_id_prefix(id: &str, written: &str) -> bool {
    id.starts_with(written) || id.strip_prefix("sha256:").is_some_and(|digits| digits.starts_with(written))
}

/// Whether all references are one tag and digests of the same repository.
fn is_single(references: &[Reference]) -> bool {
    if references.len() <= 1 {
        return true;
    }
    let mut tags = references.iter().filter(|reference| !reference.has_digest());
    let (first, second) = (tags.next(), tags.next());
    let Some(name) = first.or_else(|| references.first()).map(Reference::name) else { return true };
    second.is_none() && references.iter().all(|reference| reference.name() == name)
}
