//! Containers on one volume, as a container runtime manages them: started, stopped, killed, recreated. What a container
//! consists of is hidden behind [`ContainerHandle`].

use std::collections::BTreeMap;
use std::time::Duration;

use super::container::{AwaitExit, ContainerHandle, ObservedFile, StartOptions};
use super::exec::ExecOutput;
use super::namespace_set::{self, OverlayLayers};
use super::namespaces::NamespaceContainer;
use super::processes::HostProcess;
use super::{MachinePaths, setup, wait};
use crate::machine::image::HOME;
use crate::scenario::ContainerName;
use crate::scenario::values::User;
use crate::scenario::world::{S6Spec, SupervisionTree, WorldSpec};

const PATH: &str = "/command:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The boot hook of a foreign image: it gives root's scan directory to hermes and creates every slot.
const HAND_OVER: &str = include_str!("../../../docker/hand-over");

/// One container.
#[derive(Debug)]
struct MachineContainer {
    handle: Box<dyn ContainerHandle>,
    command: Vec<String>,
}

/// A real machine.
#[derive(Debug)]
pub struct RealMachine {
    containers: Vec<MachineContainer>,
    world: WorldSpec,
}

impl RealMachine {
    /// Containers made of namespaces; none is started.
    pub(super) fn new(
        parts: &MachinePaths,
        version: S6Spec,
        world: &WorldSpec,
    ) -> Result<Self, String> {
        let volume = parts.scratch.join("volume");
        std::fs::create_dir_all(&volume)
            .map_err(|error| namespace_set::io_error("make", &volume, &error))?;
        let own = Some(crate::machine::image::HERMES_UID);
        std::os::unix::fs::chown(&volume, own, own)
            .map_err(|error| namespace_set::io_error("give away", &volume, &error))?;
        let container = |number| -> Result<Box<dyn ContainerHandle>, String> {
            Ok(Box::new(NamespaceContainer::new(OverlayLayers {
                lower: parts.root(version),
                scratch: parts.scratch.join(format!("c{number}")),
                volume: volume.clone(),
                program: parts.program.clone(),
            })?))
        };
        let handles = (1..=world.containers).map(container).collect::<Result<_, _>>()?;
        Self::with_containers(handles, world)
    }

    /// These containers, none of them started, with the files and programs of the world.
    pub(super) fn with_containers(
        handles: Vec<Box<dyn ContainerHandle>>,
        world: &WorldSpec,
    ) -> Result<Self, String> {
        for handle in &handles {
            setup::install_world(handle.as_ref(), world)?;
        }
        let container = |handle| MachineContainer { handle, command: world.command.clone() };
        let containers = handles.into_iter().map(container).collect();
        Ok(Self { containers, world: world.clone() })
    }

    fn one(&self, container: ContainerName) -> Result<&MachineContainer, String> {
        let index = usize::from(container.0).saturating_sub(1);
        self.containers.get(index).ok_or_else(|| format!("there is no {container}"))
    }

    fn one_mut(&mut self, container: ContainerName) -> Result<&mut MachineContainer, String> {
        let index = usize::from(container.0).saturating_sub(1);
        self.containers.get_mut(index).ok_or_else(|| format!("there is no {container}"))
    }

    /// All containers.
    pub(super) fn all(&self) -> impl Iterator<Item = ContainerName> {
        (1..=self.world.containers).map(ContainerName)
    }

    /// The handle of a container.
    pub(super) fn container(
        &self,
        container: ContainerName,
    ) -> Result<&dyn ContainerHandle, String> {
        self.one(container).map(|one| one.handle.as_ref())
    }

    /// Is its PID 1 running?
    pub(super) fn is_running(&mut self, container: ContainerName) -> bool {
        self.one_mut(container).is_ok_and(|one| one.handle.is_running())
    }

    /// The container's environment.
    pub(super) fn env(&self) -> BTreeMap<String, String> {
        let mut env = BTreeMap::from([
            ("HERMES_HOME".to_owned(), HOME.to_owned()),
            ("PATH".to_owned(), PATH.to_owned()),
        ]);
        env.extend(self.world.environment.clone());
        env
    }

    /// The path of the home, inside.
    pub(super) fn home(&self) -> String {
        self.env().remove("HERMES_HOME").unwrap_or_default()
    }

    /// The path of the slots' scan directory, inside.
    pub(super) fn scan_dir(&self) -> String {
        let configured = self.world.environment.get("S6_PROFILE_GATEWAY_SCANDIR");
        configured.cloned().unwrap_or_else(|| "/run/service".to_owned())
    }

    /// Does the supervision tree belong to root, in a foreign image?
    pub(super) fn is_foreign(&self) -> bool {
        self.world.tree == SupervisionTree::Root
    }

    /// Sets the command of a container that was not started yet.
    pub(super) fn set_command(
        &mut self,
        container: ContainerName,
        command: &[String],
    ) -> Result<(), String> {
        self.one_mut(container)?.command = command.to_vec();
        self.recreate(container)
    }

    fn start_options(&self, container: ContainerName) -> Result<StartOptions, String> {
        let WorldSpec { tree, umask, noexec_run, .. } = self.world;
        let command = if tree == SupervisionTree::Hermes {
            self.one(container)?.command.clone()
        } else {
            vec![]
        };
        Ok(StartOptions { tree, env: self.env(), command, umask, noexec_run })
    }

    /// Starts a container that does not run.
    pub(super) fn start(&mut self, container: ContainerName) -> Result<(), String> {
        if self.is_running(container) {
            return Ok(());
        }
        let options = self.start_options(container)?;
        self.one_mut(container)?.handle.start(&options)?;
        self.after_start(container)
    }

    fn after_start(&mut self, container: ContainerName) -> Result<(), String> {
        if self.is_foreign() { self.boot_hook(container) } else { Ok(()) }
    }

    /// Runs the boot hook of a foreign image: as root, once s6-svscan listens.
    fn boot_hook(&mut self, container: ContainerName) -> Result<(), String> {
        wait_for_svscan(self, container)?;
        let env = self.env();
        let output = self.run(container, User::Root, &env, &["sh", "-c", HAND_OVER])?;
        match output.code {
            Some(0) => Ok(()),
            code => Err(format!("the boot hook exited {code:?}: {}", output.err)),
        }
    }

    /// Makes containers that ended by themselves observable again.
    pub(super) fn refresh(&mut self) -> Result<(), String> {
        self.containers.iter_mut().try_for_each(|one| one.handle.refresh())
    }

    /// Sends SIGTERM to PID 1, and SIGKILL after the grace.
    pub(super) fn stop(&mut self, container: ContainerName, grace: Duration) -> Result<(), String> {
        self.one_mut(container)?.handle.stop(grace)
    }

    /// Stops the container and starts it again.
    pub(super) fn restart(
        &mut self,
        container: ContainerName,
        grace: Duration,
    ) -> Result<(), String> {
        let options = self.start_options(container)?;
        self.one_mut(container)?.handle.restart(grace, &options)?;
        self.after_start(container)
    }

    /// Sends SIGKILL to PID 1.
    pub(super) fn kill(&mut self, container: ContainerName) -> Result<(), String> {
        self.one_mut(container)?.handle.kill()
    }

    /// Freezes all its processes.
    pub(super) fn pause(&mut self, container: ContainerName) -> Result<(), String> {
        self.one_mut(container)?.handle.pause()
    }

    /// Thaws it.
    pub(super) fn unpause(&mut self, container: ContainerName) -> Result<(), String> {
        self.one_mut(container)?.handle.unpause()
    }

    /// Replaces it by a new container on the same volume, not started.
    pub(super) fn recreate(&mut self, container: ContainerName) -> Result<(), String> {
        let world = WorldSpec { profiles: BTreeMap::new(), ..self.world.clone() };
        let handle = &mut self.one_mut(container)?.handle;
        handle.recreate()?;
        // Only files outside the volume are installed again; the volume stays as the scenario left it.
        let outside_volume = world
            .files
            .into_iter()
            .filter(|(path, _)| path.starts_with('/') && !path.starts_with(&format!("{HOME}/")));
        let files = outside_volume.collect();
        setup::install_world(handle.as_ref(), &WorldSpec { files, ..world })
    }

    /// Starts a program as this user.
    pub(super) fn begin(
        &self,
        container: ContainerName,
        user: User,
        env: &BTreeMap<String, String>,
        argv: &[&str],
    ) -> Result<AwaitExit, String> {
        self.container(container)?.begin_exec(user, env, argv, b"")
    }

    /// Runs a program as this user.
    pub(super) fn run(
        &self,
        container: ContainerName,
        user: User,
        env: &BTreeMap<String, String>,
        argv: &[&str],
    ) -> Result<ExecOutput, String> {
        self.begin(container, user, env, argv)?()
    }

    /// A file of a container.
    pub(super) fn observe_file(
        &self,
        container: ContainerName,
        inside: &str,
    ) -> Option<ObservedFile> {
        self.container(container).ok()?.observe_file(inside)
    }

    /// The live processes of a container.
    pub(super) fn processes(&self, container: ContainerName) -> Vec<HostProcess> {
        self.container(container).map(ContainerHandle::processes).unwrap_or_default()
    }

    /// Everything that a container has printed since it was created.
    pub(super) fn console(&self, container: ContainerName) -> String {
        self.container(container).map(ContainerHandle::console).unwrap_or_default()
    }
}

/// Waits until the scan directory's s6-svscan listens.
pub(super) fn wait_for_svscan(
    machine: &RealMachine,
    container: ContainerName,
) -> Result<(), String> {
    let control = format!("{}/.s6-svscan/control", machine.scan_dir());
    let vessel = machine.container(container)?;
    wait::poll_within(wait::PATIENCE, || {
        vessel
            .check_fifo_reader(&control)
            .map_err(|why| format!("s6-svscan does not listen: {why}"))
    })
}
