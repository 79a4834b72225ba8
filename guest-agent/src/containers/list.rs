//! Listing containers.

use std::{collections::HashMap, sync::Arc};

use cove_proto::v1::{Container, StringList};

use super::{
    Containers, ContainersError, Entry, View, blocking,
    filters::{Filters, Lookups},
};

/// Which containers to list.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Those that do not run as well.
    pub all: bool,
    /// The newest ones only, so many; 0 for all.
    pub limit: usize,
    /// By key.
    pub filters: HashMap<String, StringList>,
    /// With their sizes.
    pub sizes: bool,
}

impl Containers {
    /// Lists containers, the newest first.
    ///
    /// # Errors
    /// If a filter makes no sense, or a size cannot be found out.
    pub async fn list(&self, wanted: Wanted) -> Result<Vec<Container>, ContainersError> {
        let this = self.clone();
        let (filters, wanted) = blocking(move || {
            let created_at = |asked: &str| this.find(asked).ok().map(|entry| entry.now().record.created_at);
            let image_id = |asked: &str| this.0.images.find(asked).ok().map(|(id, _)| id);
            let lookups = Lookups { created_at: &created_at, image_id: &image_id };
            Ok((Filters::parse(&wanted.filters, &lookups)?, wanted))
        })
        .await?;
        let stopped_too = wanted.all || wanted.limit > 0 || filters.include_stopped();
        let mut found: Vec<(Arc<Entry>, Arc<View>)> =
            self.all().into_iter().map(|entry| (Arc::clone(&entry), entry.now())).collect();
        found.retain(|(_, view)| !view.gone && (stopped_too || view.is_active()) && filters.matches(view));
        found.sort_by_key(|(_, view)| std::cmp::Reverse(view.record.created_at));
        if wanted.limit > 0 {
            found.truncate(wanted.limit);
        }
        let mut containers = Vec::with_capacity(found.len());
        for (entry, view) in found {
            containers.push(self.describe(&entry, &view, wanted.sizes).await?);
        }
        Ok(containers)
    }
}
