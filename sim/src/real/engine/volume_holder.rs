//! What a story's containers have in common: the engine, the image, the volume, and a container that keeps the volume
//! within reach whether any other runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{CreateContainerOptions, UploadToContainerOptions};

use super::Engine;
use super::exec::{self, ExecRequest, RawExecOutput};
use super::exec_observer::ExecObserver;
use super::host_pid::HostPid;
use crate::machine::image::HOME;
use crate::real::container::ObservedFile;
use crate::scenario::values::User;

/// Where files for a container's own layer are prepared.
const LAYER: &str = "/layer";

const PATH: &str = "PATH=/command:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The story's.
pub(super) struct VolumeHolder {
    pub(super) engine: Arc<Engine>,
    pub(super) image: String,
    /// Also the volume's.
    pub(super) name: String,
    /// Places of this machine that are shown in every container: `OUTSIDE:INSIDE`.
    shown: Vec<String>,
    container: RefCell<Option<HolderContainer>>,
}

/// A container that does nothing, as long as the story lasts.
struct HolderContainer {
    id: String,
    watcher: ExecObserver,
    /// Where it can be seen from outside.
    near: Option<HostPid>,
}

impl VolumeHolder {
    pub(super) fn new(engine: Arc<Engine>, image: &str, name: &str, shown: Vec<String>) -> Self {
        let (image, name) = (image.to_owned(), name.to_owned());
        Self { engine, image, name, shown, container: RefCell::new(None) }
    }

    /// What can be shown is this machine's, and so is the engine that shows it.
    pub(super) fn has_host_pid(&self) -> bool {
        !self.shown.is_empty()
    }

    /// Makes a container on the volume; not started.
    pub(super) fn create(
        &self,
        suffix: &str,
        config: ContainerCreateBody,
    ) -> Result<String, String> {
        let host_config = HostConfig {
            binds: Some([&[format!("{}:{HOME}", self.name)], &self.shown[..]].concat()),
            // Loopback is all that a gateway needs.
            network_mode: Some("none".to_owned()),
            ..config.host_config.unwrap_or_default()
        };
        let config = ContainerCreateBody {
            image: Some(self.image.clone()),
            labels: Some(self.engine.labels(&self.name).into_iter().collect()),
            host_config: Some(host_config),
            ..config
        };
        let name = Some(format!("{}-{suffix}", self.name));
        let options = CreateContainerOptions { name, ..Default::default() };
        let docker = &self.engine.docker;
        Ok(self.engine.block_on(docker.create_container(Some(options), config))?.id)
    }

    /// Its container runs from when it is first needed.
    fn with<T>(
        &self,
        act: impl FnOnce(&mut HolderContainer) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut kept = self.container.borrow_mut();
        if kept.is_none() {
            let words = |words: &[&str]| Some(words.iter().map(|&it| it.to_owned()).collect());
            let config = ContainerCreateBody {
                entrypoint: words(&["sleep", "infinity"]),
                env: words(&[PATH]),
                ..Default::default()
            };
            let id = self.create("keeper", config)?;
            self.engine.block_on(self.engine.docker.start_container(&id, None))?;
            let watcher = ExecObserver::begin(&self.engine, &id)?;
            let near = self.has_host_pid().then(|| HostPid::of(&self.engine, &id)).transpose()?;
            *kept = Some(HolderContainer { id, watcher, near });
        }
        match kept.as_mut() {
            Some(kept) => act(kept),
            None => unreachable!("it was made above"),
        }
    }

    /// Where a file of the volume lies outside.
    pub(super) fn procfs_path(&self, path: &str) -> Result<PathBuf, String> {
        self.with(|kept| match &kept.near {
            Some(near) => Ok(near.path(path)),
            None => Err(format!("`{path}` can be seen from inside alone")),
        })
    }

    /// A file of the volume.
    pub(super) fn observe_file(&self, path: &str) -> Option<ObservedFile> {
        self.with(|kept| kept.watcher.observe_file(&self.engine, path)).ok().flatten()
    }

    /// A shell's words on files of the volume.
    pub(super) fn run_script(
        &self,
        script: &str,
        words: &[&str],
        stdin: &[u8],
    ) -> Result<RawExecOutput, String> {
        let argv = [&["sh", "-ec", script, "sh"], words].concat();
        let env = BTreeMap::new();
        let program = ExecRequest { user: User::Root, env: &env, argv: &argv };
        self.with(|kept| exec::begin(&self.engine, &kept.id, &program, stdin)?())
    }

    /// What the same words make in an empty layer, as an archive for a container that does not run.
    pub(super) fn prepare(
        &self,
        script: &str,
        words: &[&str],
        stdin: &[u8],
    ) -> Result<Result<Vec<u8>, RawExecOutput>, String> {
        let path = words.first().copied().unwrap_or_default();
        let staged = format!("{LAYER}{path}");
        let mut moved = words.to_vec();
        if let Some(first) = moved.first_mut() {
            *first = &staged;
        }
        let made = self.run_script(script, &moved, stdin)?;
        if made.code != Some(0) {
            return Ok(Err(made));
        }
        let pack = "tar -C \"$1\" --no-recursion -cf - \".$2\"; rm -rf \"$1\"";
        let packed = self.run_script(pack, &[LAYER, path], b"")?;
        Ok(if packed.code == Some(0) { Ok(packed.out) } else { Err(packed) })
    }

    /// Lays such an archive over a container's files.
    pub(super) fn lay(&self, container: &str, archive: &[u8]) -> Result<(), String> {
        let docker = &self.engine.docker;
        let path = "/".to_owned();
        let options = UploadToContainerOptions { path, ..Default::default() };
        let body = bollard::body_full(archive.to_vec().into());
        self.engine.block_on(docker.upload_to_container(container, Some(options), body))
    }
}
