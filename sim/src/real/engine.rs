//! Stories in containers of the real image: the engine is spoken to through its socket. Only cells need an engine of this
//! machine's own: their gate is on this side.
//!
//! ```text
//!   docker (a container, over all its lives) ─┬─► exec     a program in it, as `docker exec` runs it
//!                                             ├─► watcher  the one that looks, beside its processes
//!                                             ├─► near     the same from outside, where the engine is this machine's
//!                                             └─► keeper   a container for the volume, whoever runs
//! ```
//!
//! What is made carries the label `hermes.test`, and those of the run and of the story: by them it is found and removed.

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

/// On everything that a test makes.
const LABEL: &str = "hermes.test";
/// On everything of one run.
const RUN_LABEL: &str = "hermes.test.run";
/// On everything of one story.
const SCENARIO_LABEL: &str = "hermes.test.story";

/// A container engine, for one run.
#[derive(Debug)]
pub struct Engine {
    docker: Docker,
    runtime: Runtime,
    run: String,
}

/// What a story did not hold for, and detail there was then.
#[derive(Debug)]
pub struct ScenarioFailure {
    /// What did not hold.
    pub detail: String,
    /// Each with a name: logs, slots, processes.
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
    /// The engine behind the socket of this machine; the run's name is on all that it makes.
    pub fn connect(run: &str) -> Result<Arc<Self>, String> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
        let connected = runtime
            .block_on(async { Docker::connect_with_local_defaults()?.negotiate_version().await });
        let docker = connected.map_err(|error| engine_error(&error))?;
        Ok(Arc::new(Self { docker, runtime, run: run.to_owned() }))
    }

    /// What an image of this name is now: a build meanwhile changes nothing for whoever uses that.
    pub fn image(&self, name: &str) -> Option<String> {
        self.block_on(self.docker.inspect_image(name)).ok()?.id
    }

    /// Waits for an answer of the engine.
    fn block_on<T>(
        &self,
        ask: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, String> {
        let answer = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, ask).await });
        let answer = answer.map_err(|_| format!("the engine did not answer in {PATIENCE:?}"))?;
        answer.map_err(|error| engine_error(&error))
    }

    fn labels(&self, story: &str) -> BTreeMap<String, String> {
        [(LABEL, "1"), (RUN_LABEL, &self.run), (SCENARIO_LABEL, story)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn make_volume(&self, name: &str, story: &str) -> Result<(), String> {
        let labels = Some(self.labels(story).into_iter().collect());
        let name = Some(name.to_owned());
        let made = VolumeCreateRequest { name, labels, ..Default::default() };
        self.block_on(self.docker.create_volume(made)).map(drop)
    }

    /// Removes detail this run has made so far and not removed.
    pub fn remove_run(&self) -> Result<(), String> {
        self.remove(&format!("{RUN_LABEL}={}", self.run))
    }

    /// What a story of this run is called.
    pub(super) fn name_of(&self, story: &str) -> String {
        format!("hermes-e2e-{}-{story}", self.run)
    }

    /// Removes detail was made for the story of this name.
    pub(super) fn remove_scenario(&self, name: &str) -> Result<(), String> {
        self.remove(&format!("{SCENARIO_LABEL}={name}"))
    }

    fn remove(&self, label: &str) -> Result<(), String> {
        let filters = || Some([("label".to_owned(), vec![label.to_owned()])].into());
        let all = ListContainersOptions { all: true, filters: filters(), ..Default::default() };
        for container in self.block_on(self.docker.list_containers(Some(all)))? {
            let Some(id) = container.id else { continue };
            let how = RemoveContainerOptions { force: true, v: true, ..Default::default() };
            // Two may come to remove the same; detail is left after this is named by the volume that is in use.
            let _ = self.block_on(self.docker.remove_container(&id, Some(how)));
        }
        let volumes = ListVolumesOptions { filters: filters() };
        let found = self.block_on(self.docker.list_volumes(Some(volumes)))?;
        for volume in found.volumes.unwrap_or_default() {
            let how = RemoveVolumeOptions { force: true };
            self.block_on(self.docker.remove_volume(&volume.name, Some(how)))?;
        }
        Ok(())
    }

    /// Waits, in the background, for somebody who wants the run to end: then nothing is waited for any more.
    pub fn interrupt_on_signals(self: &Arc<Self>) -> Result<(), String> {
        use tokio::signal::unix::{SignalKind, signal};
        let _inside = self.runtime.enter();
        let heed = |kind| signal(kind).map_err(|error| format!("no handler: {error}"));
        let (mut int, mut term) = (heed(SignalKind::interrupt())?, heed(SignalKind::terminate())?);
        self.runtime.spawn(async move {
            let either = (std::pin::pin!(int.recv()), std::pin::pin!(term.recv()));
            futures_util::future::select(either.0, either.1).await;
            wait::interrupt();
        });
        Ok(())
    }
}

/// Plays a story in containers of this image, which stands on `base`. All that it makes is gone afterwards.
pub fn run_scenario(
    engine: &Arc<Engine>,
    image: &str,
    base: &str,
    scenario: &Scenario,
) -> Result<(), ScenarioFailure> {
    let name = engine.name_of(&format!("{base}-{}", scenario.name));
    let played = create_machine(engine, image, &name, Vec::new(), &scenario.world)
        .map_err(ScenarioFailure::from)
        .and_then(|mut machine| {
            steps::run_steps(&mut machine, scenario)
                .map_err(|detail| ScenarioFailure { detail, evidence: machine.evidence() })
        });
    played.and(engine.remove_scenario(&name).map_err(ScenarioFailure::from))
}

/// Containers of this image for the story of this name. `shown` are places of this machine, each as `OUTSIDE:INSIDE`;
/// where there are any, the containers can be looked at from outside.
pub(super) fn create_machine(
    engine: &Arc<Engine>,
    image: &str,
    name: &str,
    shown: Vec<String>,
    world: &WorldSpec,
) -> Result<RealMachine, String> {
    engine.make_volume(name, name)?;
    let keeper = std::rc::Rc::new(VolumeHolder::new(engine.clone(), image, name, shown));
    let vessel = |number: u8| -> Box<dyn ContainerHandle> {
        Box::new(EngineContainer::new(keeper.clone(), number))
    };
    RealMachine::with_containers((1..=world.containers).map(vessel).collect(), world)
}
