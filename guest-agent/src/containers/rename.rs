//! Giving a container another name.

use super::{
    Containers, ContainersError,
    actor::{Actor, Command},
};
use crate::names;

impl Containers {
    /// Gives a container another name.
    ///
    /// # Errors
    /// If the name breaks the rule, is in use, or is the one it has.
    pub async fn rename(&self, container: &str, name: &str) -> Result<(), ContainersError> {
        if container.is_empty() || name.is_empty() {
            return Err(ContainersError::EmptyName);
        }
        let entry = self.find(container)?;
        let name = name.strip_prefix('/').unwrap_or(name).to_owned();
        entry.ask(|reply| Command::Rename(name, reply)).await
    }
}

impl Actor {
    pub(super) async fn rename(&mut self, name: String) -> Result<(), ContainersError> {
        if name == self.record.name {
            return Err(ContainersError::SameName);
        }
        if !names::is_valid(&name) {
            return Err(ContainersError::InvalidName { name });
        }
        self.engine.index().reserve(&name, &self.record.id)?;
        let old = std::mem::replace(&mut self.record.name, name);
        if let Err(error) = self.save().await {
            let new = std::mem::replace(&mut self.record.name, old);
            self.engine.index().give_back(&new);
            return Err(error);
        }
        self.engine.index().give_back(&old);
        self.engine.networks.rename(&self.record.id, &self.record.name);
        self.publish();
        self.tell_with("rename", |event| event.with("oldName", format!("/{old}")));
        Ok(())
    }
}
