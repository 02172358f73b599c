//! Containers on one volume, as a runtime keeps them: started, stopped, killed, made anew. What each of them is made of
//! is a [`Vessel`]'s affair.

use std::collections::BTreeMap;
use std::time::Duration;

use super::inside::Outcome;
use super::life::{self, Layers};
use super::namespaces::Namespaces;
use super::processes::Process;
use super::vessel::{End, Seen, Start, Vessel};
use super::{Parts, look, setup};
use crate::machine::image::HOME;
use crate::scenario::Container;
use crate::scenario::words::User;
use crate::scenario::world::{S6, Tree, World};

const PATH: &str = "/command:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The hook that somebody else's image gets: it hands root's scan directory over and has every slot made.
const HAND_OVER: &str = include_str!("../../../docker/hand-over");

/// One container.
#[derive(Debug)]
struct One {
    vessel: Box<dyn Vessel>,
    command: Vec<String>,
}

/// A machine.
#[derive(Debug)]
pub struct Machine {
    containers: Vec<One>,
    world: World,
}

impl Machine {
    /// Containers made of namespaces; none is started.
    pub(super) fn new(parts: &Parts, version: S6, world: &World) -> Result<Self, String> {
        let volume = parts.scratch.join("volume");
        std::fs::create_dir_all(&volume).map_err(|error| life::failed("make", &volume, &error))?;
        let own = Some(crate::machine::image::HERMES_UID);
        std::os::unix::fs::chown(&volume, own, own)
            .map_err(|error| life::failed("give away", &volume, &error))?;
        let vessel = |number| -> Result<Box<dyn Vessel>, String> {
            Ok(Box::new(Namespaces::new(Layers {
                lower: parts.root(version),
                scratch: parts.scratch.join(format!("c{number}")),
                volume: volume.clone(),
                program: parts.program.clone(),
            })?))
        };
        Self::of((1..=world.containers).map(vessel).collect::<Result<_, _>>()?, world)
    }

    /// These containers, none of them started, with what the world has besides the image.
    pub(super) fn of(vessels: Vec<Box<dyn Vessel>>, world: &World) -> Result<Self, String> {
        for vessel in &vessels {
            setup::lay(vessel.as_ref(), world)?;
        }
        let one = |vessel| One { vessel, command: world.command.clone() };
        let containers = vessels.into_iter().map(one).collect();
        Ok(Self { containers, world: world.clone() })
    }

    fn one(&self, container: Container) -> Result<&One, String> {
        let index = usize::from(container.0).saturating_sub(1);
        self.containers.get(index).ok_or_else(|| format!("there is no {container}"))
    }

    fn one_mut(&mut self, container: Container) -> Result<&mut One, String> {
        let index = usize::from(container.0).saturating_sub(1);
        self.containers.get_mut(index).ok_or_else(|| format!("there is no {container}"))
    }

    /// All containers.
    pub(super) fn all(&self) -> impl Iterator<Item = Container> {
        (1..=self.world.containers).map(Container)
    }

    /// A container as it is made, to work in.
    pub(super) fn vessel(&self, container: Container) -> Result<&dyn Vessel, String> {
        self.one(container).map(|one| one.vessel.as_ref())
    }

    /// Does it run?
    pub(super) fn runs(&mut self, container: Container) -> bool {
        self.one_mut(container).is_ok_and(|one| one.vessel.runs())
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

    /// The home, inside.
    pub(super) fn home(&self) -> String {
        self.env().remove("HERMES_HOME").unwrap_or_default()
    }

    /// Where the slots are, inside.
    pub(super) fn scan_dir(&self) -> String {
        let told = self.world.environment.get("S6_PROFILE_GATEWAY_SCANDIR");
        told.cloned().unwrap_or_else(|| "/run/service".to_owned())
    }

    /// Is the tree of the slots somebody else's?
    pub(super) fn is_foreign(&self) -> bool {
        self.world.tree == Tree::Root
    }

    /// Another command for a container that was not started yet.
    pub(super) fn set_command(&mut self, of: Container, command: &[String]) -> Result<(), String> {
        self.one_mut(of)?.command = command.to_vec();
        self.recreate(of)
    }

    fn how(&self, container: Container) -> Result<Start, String> {
        let World { tree, umask, noexec_run, .. } = self.world;
        let told = if tree == Tree::Hermes { self.one(container)?.command.clone() } else { vec![] };
        Ok(Start { tree, env: self.env(), command: told, umask, noexec_run })
    }

    /// Starts a container that does not run.
    pub(super) fn start(&mut self, container: Container) -> Result<(), String> {
        if self.runs(container) {
            return Ok(());
        }
        let how = self.how(container)?;
        self.one_mut(container)?.vessel.start(&how)?;
        self.after_start(container)
    }

    fn after_start(&mut self, container: Container) -> Result<(), String> {
        if self.is_foreign() { self.boot_hook(container) } else { Ok(()) }
    }

    /// What somebody else's image does at its boot: as root, once s6-svscan listens.
    fn boot_hook(&mut self, container: Container) -> Result<(), String> {
        look::wait_for_svscan(self, container)?;
        let env = self.env();
        let told = self.run(container, User::Root, &env, &["sh", "-c", HAND_OVER])?;
        match told.code {
            Some(0) => Ok(()),
            code => Err(format!("the boot hook exited {code:?}: {}", told.err)),
        }
    }

    /// Containers that ended by themselves can be looked into again.
    pub(super) fn refresh(&mut self) -> Result<(), String> {
        self.containers.iter_mut().try_for_each(|one| one.vessel.refresh())
    }

    /// SIGTERM, and SIGKILL after the grace.
    pub(super) fn stop(&mut self, container: Container, grace: Duration) -> Result<(), String> {
        self.one_mut(container)?.vessel.stop(grace)
    }

    /// Stopped, and started again.
    pub(super) fn restart(&mut self, container: Container, grace: Duration) -> Result<(), String> {
        let how = self.how(container)?;
        self.one_mut(container)?.vessel.restart(grace, &how)?;
        self.after_start(container)
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self, container: Container) -> Result<(), String> {
        self.one_mut(container)?.vessel.kill()
    }

    /// Freezes all that lives in it.
    pub(super) fn pause(&mut self, container: Container) -> Result<(), String> {
        self.one_mut(container)?.vessel.pause()
    }

    /// Lets it go on.
    pub(super) fn unpause(&mut self, container: Container) -> Result<(), String> {
        self.one_mut(container)?.vessel.unpause()
    }

    /// A new container on the same volume, not started.
    pub(super) fn recreate(&mut self, container: Container) -> Result<(), String> {
        let world = World { profiles: BTreeMap::new(), ..self.world.clone() };
        let vessel = &mut self.one_mut(container)?.vessel;
        vessel.recreate()?;
        // What the image had is there again; what lies on the volume is as the story left it.
        let own = world
            .files
            .into_iter()
            .filter(|(path, _)| path.starts_with('/') && !path.starts_with(&format!("{HOME}/")));
        setup::lay(vessel.as_ref(), &World { files: own.collect(), ..world })
    }

    /// Begins a program as somebody.
    pub(super) fn begin(
        &self,
        container: Container,
        user: User,
        env: &BTreeMap<String, String>,
        argv: &[&str],
    ) -> Result<End, String> {
        self.vessel(container)?.begin(user, env, argv, b"")
    }

    /// Runs a program as somebody.
    pub(super) fn run(
        &self,
        container: Container,
        user: User,
        env: &BTreeMap<String, String>,
        argv: &[&str],
    ) -> Result<Outcome, String> {
        self.begin(container, user, env, argv)?()
    }

    /// A file of a container.
    pub(super) fn see(&self, container: Container, inside: &str) -> Option<Seen> {
        self.vessel(container).ok()?.see(inside)
    }

    /// What lives in a container.
    pub(super) fn processes(&self, container: Container) -> Vec<Process> {
        self.vessel(container).map(Vessel::processes).unwrap_or_default()
    }

    /// What a container printed, in all its lives.
    pub(super) fn console(&self, container: Container) -> String {
        self.vessel(container).map(Vessel::console).unwrap_or_default()
    }

    /// For a story that did not hold: what could say why, each with a name.
    pub(super) fn evidence(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for container in self.all() {
            let line = |it: &Process| format!("{:>5} {:>5} {}\n", it.pid, it.parent, it.line());
            let processes = self.processes(container).iter().map(line).collect();
            all.push((format!("{container}-processes"), processes));
            all.push((format!("{container}-slots"), look::tell(self, container)));
            all.push((format!("{container}-console"), self.console(container)));
        }
        all.push(("container-boot.log".to_owned(), look::boot_log(self)));
        all
    }

    /// The same in one piece.
    pub(super) fn dump(&self) -> String {
        let evidence = self.evidence().into_iter();
        evidence.map(|(name, text)| format!("--- {name}\n{text}")).collect()
    }
}
