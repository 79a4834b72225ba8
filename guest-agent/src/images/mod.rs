//! Images.
//
// Surface that `agent`, `containers` and `rpc` build on (bodies follow within the hour; these shapes stay). All calls
// block (disk, database): wrap them in `spawn_blocking`; `ImageStore` is a cheap `Clone + Send + Sync` handle.
//
// pub struct StoreConfig { root: PathBuf /* /var/lib/cove */, builtin_archive: Option<PathBuf> /* /usr/share/cove/hello.tar */,
//                          limits: Limits /* Default */, privilege: Privilege /* Full in the agent */ }
// impl ImageStore {
//   pub fn open(config: StoreConfig, database: Arc<redb::Database>) -> Result<ImageStore, ImagesError>  // sweeps left-overs, loads the built-in image once
//   pub fn hold(&self, image: &str, container_id: &str) -> Result<HeldImage, ImagesError>  // resolves and registers a user of the image, in one step, durable; at container create
//   pub fn held(&self, container_id: &str) -> Result<HeldImage, ImagesError>   // the same again, after a restart (id, config, layers), even if the image was removed by force
//   pub fn release(&self, container_id: &str) -> Result<(), ImagesError>       // at container remove; idempotent
//   pub fn retain_holds(&self, exists: impl Fn(&str) -> bool) -> Result<(), ImagesError> // at agent start: drops holds of containers that the engine does not know
//   pub fn set_running(&self, container_id: &str, running: bool)               // in memory; decides the words and the force rule of image removal
//   pub fn resolve(&self, image: &str) -> Result<ImageSummary, ImagesError>    // name, id, id prefix → image (for ps filter `ancestor`: .id, .tags)
// }
// pub struct HeldImage { pub id: String /* sha256:... */, pub config: ImageConfig, pub layers: Vec<PathBuf> /* the highest first, as ContainerLaunch::layers */ }
// pub struct ImageConfig { user: String, env: Vec<String>, entrypoint: Option<Vec<String>>, cmd: Option<Vec<String>>, working_dir: String,
//                          labels: BTreeMap<String, String>, stop_signal: Option<String>, exposed_ports: BTreeSet<String>, volumes: BTreeSet<String>,
//                          on_build: Vec<String>, shell: Option<Vec<String>> }   // config::ImageConfig
// ImagesError::kind() -> images::Kind { NotFound, Invalid, Conflict, Full, Internal }; Display + source chain in Docker's words ("No such image: x:latest").
//
// disk: pub fn prepare(config: &DiskConfig) -> Result<DataDisk, DiskError>      // blocking; DiskConfig::default() = serial "data", mount point /var/lib/cove
// rpc/images.rs: pub struct ImagesService; ImagesService::new(store: ImageStore) implements cove.v1.Images
