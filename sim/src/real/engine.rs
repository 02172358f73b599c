//! Scenarios in containers of the real image, through the socket of a container engine. Only crash points and replayed
//! faults need an engine on this machine: the sockets of their gate are files of this machine.
//!
//! ```text
//!   engine_container (one container) ─┬─► exec           a program in it, as `docker exec` runs it
//!                                     ├─► exec_observer  a program in it that observes its files and processes
//!                                     ├─► host_pid       the same from outside, if the engine is on this machine
//!                                     └─► volume_holder  a container that keeps the volume reachable all the time
//! ```
//!
//! Everything that is created has the label `hermes.test` and the labels of the run and of the scenario; these labels
//! select what is removed.

mod engine_container;
mod exec;
mod exec_observer;
mod host_pid;
mod volume_holder;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{
    ListContainersOptions, ListVolumesOptions, RemoveContainerOptions, RemoveVolumeOptions,
};
use tokio::runtime::{Builder, Runtime};

use super::container::ContainerHandle;
use super::machine::RealMachine;
use super::{steps, wait};
use crate::scenario::{Scenario, WorldSpec};
use engine_container::EngineContainer;
use volume_holder::VolumeHolder;

/// How long the engine may take for anything that it does by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// The label of everything that a test creates.
const LABEL: &str = "hermes.test";
/// The label of everything of one run.
const RUN_LABEL: &str = "hermes.test.run";
/// The label of everything of one scenario.
const SCENARIO_LABEL: &str = "hermes.test.scenario";

/// A container engine, for one run.
#[derive(Debug)]
pub struct Engine {
    docker: Docker,
    runtime: Runtime,
    run: String,
}

/// The failure of a scenario, with evidence.
#[derive(Debug)]
pub struct ScenarioFailure {
    /// What did not hold.
    pub detail: String,
    /// Logs, slots and processes, each with a name.
    pub evidence: Vec<(String, String)>,
}

impl From<String> for ScenarioFailure {
    fn from(detail: String) -> Self {
        Self { detail, evidence: Vec::new() }
    }
}

fn engine_error(error: &bollard::errors::Error) -> String {
    format!("the engine says: {error}")
}

impl Engine {
    /// Connects to the engine at the usual socket; everything that it creates is labelled with the name of the run.
    pub fn connect(run: &str) -> Result<Arc<Self>, String> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
        let connected = runtime
            .block_on(async { Docker::connect_with_local_defaults()?.negotiate_version().await });
        let docker = connected.map_err(|error| engine_error(&error))?;
        Ok(Arc::new(Self { docker, runtime, run: run.to_owned() }))
    }

    /// The id of the image of this name: a run uses the id, so a build of the image meanwhile does not change it.
    pub fn image(&self, name: &str) -> Option<String> {
        self.block_on(self.docker.inspect_image(name)).ok()?.id
    }

    /// Sends a request to the engine and waits for the answer.
    fn block_on<T>(
        &self,
        request: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, String> {
        let answer = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, request).await });
        let answer = answer.map_err(|_| format!("the engine did not answer in {PATIENCE:?}"))?;
        answer.map_err(|error| engine_error(&error))
    }

    fn labels(&self, scenario: &str) -> BTreeMap<String, String> {
        [(LABEL, "1"), (RUN_LABEL, &self.run), (SCENARIO_LABEL, scenario)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn make_volume(&self, name: &str, scenario: &str) -> Result<(), String> {
        let labels = Some(self.labels(scenario).into_iter().collect());
        let name = Some(name.to_owned());
        let request = VolumeCreateRequest { name, labels, ..Default::default() };
        self.block_on(self.docker.create_volume(request)).map(drop)
    }

    /// Removes everything of this run that still exists.
    pub fn remove_run(&self) -> Result<(), String> {
        self.remove(&format!("{RUN_LABEL}={}", self.run))
    }

    /// The name of a scenario of this run.
    pub(super) fn name_of(&self, scenario: &str) -> String {
        format!("hermes-e2e-{}-{scenario}", self.run)
    }

    /// Removes everything that was created for the scenario of this name.
    pub(super) fn remove_scenario(&self, name: &str) -> Result<(), String> {
        self.remove(&format!("{SCENARIO_LABEL}={name}"))
    }

    fn remove(&self, label: &str) -> Result<(), String> {
        let filters = || Some([("label".to_owned(), vec![label.to_owned()])].into());
        let all = ListContainersOptions { all: true, filters: filters(), ..Default::default() };
        for container in self.block_on(self.docker.list_containers(Some(all)))? {
            let Some(id) = container.id else { continue };
            let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
            // Another run may remove the same container. If it still exists, the removal of its volume fails and names it.
            let _ = self.block_on(self.docker.remove_container(&id, Some(options)));
        }
        let volumes = ListVolumesOptions { filters: filters() };
        let found = self.block_on(self.docker.list_volumes(Some(volumes)))?;
        for volume in found.volumes.unwrap_or_default() {
            let options = RemoveVolumeOptions { force: true };
            self.block_on(self.docker.remove_volume(&volume.name, Some(options)))?;
        }
        Ok(())
    }

    /// Listens in the background for SIGINT and SIGTERM, which end all waits of the run.
    pub fn interrupt_on_signals(self: &Arc<Self>) -> Result<(), String> {
        use tokio::signal::unix::{SignalKind, signal};
        let _inside = self.runtime.enter();
        let listen = |kind| signal(kind).map_err(|error| format!("no handler: {error}"));
        let (mut int, mut term) =
            (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        self.runtime.spawn(async move {
            let either = (std::pin::pin!(int.recv()), std::pin::pin!(term.recv()));
            futures_util::future::select(either.0, either.1).await;
            wait::interrupt();
        });
        Ok(())
    }
}

/// Runs a scenario in containers of this image, which is built on `base`. Everything that it creates is removed afterwards.
pub fn run_scenario(
    engine: &Arc<Engine>,
    image: &str,
    base: &str,
    scenario: &Scenario,
) -> Result<(), ScenarioFailure> {
    let name = engine.name_of(&format!("{base}-{}", scenario.name));
    let result = create_machine(engine, image, &name, Vec::new(), &scenario.world)
        .map_err(ScenarioFailure::from)
        .and_then(|mut machine| {
            steps::run_steps(&mut machine, scenario)
                .map_err(|detail| ScenarioFailure { detail, evidence: machine.evidence() })
        });
    result.and(engine.remove_scenario(&name).map_err(ScenarioFailure::from))
}

/// Containers of this image for the scenario of this name. `binds` are directories and files of this machine that every
/// container gets, each as `OUTSIDE:INSIDE`; if there are any, the containers can be observed from outside.
pub(super) fn create_machine(
    engine: &Arc<Engine>,
    image: &str,
    name: &str,
    binds: Vec<String>,
    world: &WorldSpec,
) -> Result<RealMachine, String> {
    engine.make_volume(name, name)?;
    let holder = std::rc::Rc::new(VolumeHolder::new(engine.clone(), image, name, binds));
    let container = |number: u8| -> Box<dyn ContainerHandle> {
        Box::new(EngineContainer::new(holder.clone(), number))
    };
    RealMachine::with_containers((1..=world.containers).map(container).collect(), world)
}
