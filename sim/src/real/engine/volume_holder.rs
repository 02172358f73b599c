//! What the containers of a scenario share: the engine, the image, the volume, and a container that keeps the volume
//! reachable while no other container runs.

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

/// The directory in which files for a container's own layer are prepared.
const LAYER: &str = "/layer";

const PATH: &str = "PATH=/command:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The holder of a scenario's volume.
pub(super) struct VolumeHolder {
    pub(super) engine: Arc<Engine>,
    pub(super) image: String,
    /// The name of the scenario's run, and of the volume.
    pub(super) name: String,
    /// Directories and files of this machine that every container gets: `OUTSIDE:INSIDE`.
    binds: Vec<String>,
    container: RefCell<Option<HolderContainer>>,
}

/// A container that does nothing until the scenario ends.
struct HolderContainer {
    id: String,
    observer: ExecObserver,
    /// Its PID 1, if it can be observed from outside.
    host_pid: Option<HostPid>,
}

impl VolumeHolder {
    pub(super) fn new(engine: Arc<Engine>, image: &str, name: &str, binds: Vec<String>) -> Self {
        let (image, name) = (image.to_owned(), name.to_owned());
        Self { engine, image, name, binds, container: RefCell::new(None) }
    }

    /// Can the containers be observed from outside? Only an engine on this machine can bind its files.
    pub(super) fn has_host_pid(&self) -> bool {
        !self.binds.is_empty()
    }

    /// Creates a container on the volume, not started.
    pub(super) fn create(
        &self,
        suffix: &str,
        config: ContainerCreateBody,
    ) -> Result<String, String> {
        let host_config = HostConfig {
            binds: Some([&[format!("{}:{HOME}", self.name)], &self.binds[..]].concat()),
            // A gateway needs the loopback interface only.
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

    /// Calls a function with the holder's container, which is started at the first call.
    fn with_container<T>(
        &self,
        call: impl FnOnce(&mut HolderContainer) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut running = self.container.borrow_mut();
        if running.is_none() {
            let words = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect());
            let config = ContainerCreateBody {
                entrypoint: words(&["sleep", "infinity"]),
                env: words(&[PATH]),
                ..Default::default()
            };
            let id = self.create("holder", config)?;
            self.engine.block_on(self.engine.docker.start_container(&id, None))?;
            let observer = ExecObserver::begin(&self.engine, &id)?;
            let host_pid =
                self.has_host_pid().then(|| HostPid::of(&self.engine, &id)).transpose()?;
            *running = Some(HolderContainer { id, observer, host_pid });
        }
        match running.as_mut() {
            Some(container) => call(container),
            None => unreachable!("it was created above"),
        }
    }

    /// The path of a file of the volume on the host.
    pub(super) fn procfs_path(&self, path: &str) -> Result<PathBuf, String> {
        self.with_container(|container| match &container.host_pid {
            Some(host_pid) => Ok(host_pid.path(path)),
            None => Err(format!("`{path}` can be observed from inside only")),
        })
    }

    /// Observes a file of the volume.
    pub(super) fn observe_file(&self, path: &str) -> Option<ObservedFile> {
        self.with_container(|container| container.observer.observe_file(&self.engine, path))
            .ok()
            .flatten()
    }

    /// Runs a shell script on files of the volume.
    pub(super) fn run_script(
        &self,
        script: &str,
        words: &[&str],
        stdin: &[u8],
    ) -> Result<RawExecOutput, String> {
        let argv = [&["sh", "-ec", script, "sh"], words].concat();
        let env = BTreeMap::new();
        let program = ExecRequest { user: User::Root, env: &env, argv: &argv };
        self.with_container(|container| {
            exec::begin(&self.engine, &container.id, &program, stdin)?()
        })
    }

    /// Runs the same script in an empty layer and returns the result as an archive for a container that does not run.
    pub(super) fn prepare(
        &self,
        script: &str,
        words: &[&str],
        stdin: &[u8],
    ) -> Result<Result<Vec<u8>, RawExecOutput>, String> {
        let path = words.first().copied().unwrap_or_default();
        let staged = format!("{LAYER}{path}");
        let mut staged_words = words.to_vec();
        if let Some(first) = staged_words.first_mut() {
            *first = &staged;
        }
        let output = self.run_script(script, &staged_words, stdin)?;
        if output.code != Some(0) {
            return Ok(Err(output));
        }
        let pack = "tar -C \"$1\" --no-recursion -cf - \".$2\"; rm -rf \"$1\"";
        let packed = self.run_script(pack, &[LAYER, path], b"")?;
        Ok(if packed.code == Some(0) { Ok(packed.out) } else { Err(packed) })
    }

    /// Unpacks such an archive over a container's files.
    pub(super) fn unpack(&self, container: &str, archive: &[u8]) -> Result<(), String> {
        let docker = &self.engine.docker;
        let path = "/".to_owned();
        let options = UploadToContainerOptions { path, ..Default::default() };
        let body = bollard::body_full(archive.to_vec().into());
        self.engine.block_on(docker.upload_to_container(container, Some(options), body))
    }
}
