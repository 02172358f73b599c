//! Containers on one volume, as a runtime keeps them: started, stopped, killed, made anew.
//!
//! Whatever does not run is mounted all the same, so that its files can be looked at and changed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use super::inside::{self, Begun, Outcome};
use super::life::{self, Layers, Life};
use super::processes::Process;
use super::{Parts, look, setup};
use crate::image::HOME;
use crate::scenario::Container;
use crate::scenario::words::User;
use crate::scenario::world::{S6, Tree, World};

const PATH: &str = "/command:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Somebody else's image: root's s6-svscan is PID 1, and its boot hook runs `hermes boot reconcile`.
const FOREIGN: &str = "mkdir -p /run/s6/basedir /run/s6/container_environment
cd /run/s6/container_environment
for name in $(env | sed -n 's/^\\([A-Z_0-9]*\\)=.*/\\1/p'); do printenv \"$name\" >\"$name\"; done
exec s6-svscan /run/service";

/// Its hook hands the control FIFOs over once they are there, as such images do; root keeps the directories.
const HAND_OVER: &str = "cd /run/service
chown 0:10000 .s6-svscan .s6-svscan/control
chmod 0710 .s6-svscan
chmod 0620 .s6-svscan/control
for slot in gateway-* gateway-*/log; do
    until s6-svok \"$slot\"; do sleep 0.02; done
    s6-svperms -G :10000 -E :10000 \"$slot\"
done";

/// One container.
#[derive(Debug)]
struct One {
    layers: Layers,
    life: Life,
    command: Vec<String>,
}

/// A machine.
#[derive(Debug)]
pub struct Machine {
    containers: Vec<One>,
    world: World,
}

impl Machine {
    /// Its containers are made and laid out; none is started.
    pub(super) fn new(parts: &Parts, version: S6, world: &World) -> Result<Self, String> {
        let volume = parts.scratch.join("volume");
        let mut containers = Vec::new();
        std::fs::create_dir_all(&volume).map_err(|error| life::failed("make", &volume, &error))?;
        let own = Some(crate::image::HERMES);
        std::os::unix::fs::chown(&volume, own, own)
            .map_err(|error| life::failed("give away", &volume, &error))?;
        for number in 1..=world.containers {
            let layers = Layers {
                lower: parts.root(version),
                scratch: parts.scratch.join(format!("c{number}")),
                volume: volume.clone(),
                program: parts.program.clone(),
            };
            layers.make()?;
            let life = Life::mount(&layers)?;
            setup::lay(&life, world)?;
            containers.push(One { layers, life, command: world.command.clone() });
        }
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

    /// The life of a container, to work in.
    pub(super) fn life(&self, container: Container) -> Result<&Life, String> {
        self.one(container).map(|one| &one.life)
    }

    /// Does it run?
    pub(super) fn runs(&mut self, container: Container) -> bool {
        let one = self.one_mut(container);
        one.is_ok_and(|one| one.life.is_started() && one.life.ended().is_none())
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

    /// Another command for the next start.
    pub(super) fn set_command(&mut self, of: Container, command: &[String]) -> Result<(), String> {
        self.one_mut(of)?.command = command.to_vec();
        Ok(())
    }

    /// Starts a container that does not run.
    pub(super) fn start(&mut self, container: Container) -> Result<(), String> {
        if self.runs(container) {
            return Ok(());
        }
        self.mount_again(container)?;
        let env = self.env();
        let tree = self.world.tree;
        let one = self.one_mut(container)?;
        let mut words = vec!["exec".to_owned(), "chroot".to_owned()];
        words.push(quote(&one.layers.scratch.join("merged").display().to_string()));
        words.extend(["env".to_owned(), "-i".to_owned(), "-C".to_owned(), HOME.to_owned()]);
        words.extend(env.iter().map(|(name, value)| quote(&format!("{name}={value}"))));
        words.extend(match tree {
            Tree::Hermes => {
                ["/usr/local/bin/hermes", "boot", "init", "--"].map(str::to_owned).to_vec()
            }
            Tree::Root => vec!["sh".to_owned(), "-c".to_owned(), quote(FOREIGN)],
            Tree::None => vec!["sleep".to_owned(), "infinity".to_owned()],
        });
        if tree == Tree::Hermes {
            words.extend(one.command.iter().map(|word| quote(word)));
        }
        one.life.start(&words.join(" "))?;
        if tree == Tree::Root { self.boot_hook(container) } else { Ok(()) }
    }

    /// What somebody else's image does at its boot: as root, once s6-svscan listens.
    fn boot_hook(&mut self, container: Container) -> Result<(), String> {
        look::wait_for_svscan(self, container)?;
        let env = self.env();
        // It cannot tell root's s6-svscan of the slots, and says so; the hook does that itself.
        self.run(container, User::Root, &env, &["hermes", "boot", "reconcile"])?;
        let hook = format!("s6-svscanctl -a /run/service\n{HAND_OVER}");
        let told = self.run(container, User::Root, &env, &["sh", "-ec", &hook])?;
        match told.code {
            Some(0) => Ok(()),
            code => Err(format!("the boot hook exited {code:?}: {}", told.err)),
        }
    }

    /// A life that is over is followed by one that is only mounted.
    fn mount_again(&mut self, container: Container) -> Result<(), String> {
        let one = self.one_mut(container)?;
        if one.life.is_started() && one.life.ended().is_some() {
            one.life = Life::mount(&one.layers)?;
        }
        Ok(())
    }

    /// Containers that ended by themselves can be looked into again.
    pub(super) fn refresh(&mut self) -> Result<(), String> {
        self.all().collect::<Vec<_>>().into_iter().try_for_each(|it| self.mount_again(it))
    }

    /// SIGTERM, and SIGKILL after the grace.
    pub(super) fn stop(&mut self, container: Container, grace: Duration) -> Result<(), String> {
        let one = self.one_mut(container)?;
        if one.life.is_started() {
            one.life.stop(grace);
        }
        self.mount_again(container)
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self, container: Container) -> Result<(), String> {
        let one = self.one_mut(container)?;
        if one.life.is_started() {
            one.life.kill();
        }
        self.mount_again(container)
    }

    /// A new container on the same volume, not started.
    pub(super) fn recreate(&mut self, container: Container) -> Result<(), String> {
        self.kill(container)?;
        let world = World { profiles: BTreeMap::new(), ..self.world.clone() };
        let one = self.one_mut(container)?;
        one.life.kill();
        one.layers.make()?;
        one.life = Life::mount(&one.layers)?;
        // What the image had is there again; what lies on the volume is as the story left it.
        let own = world
            .files
            .into_iter()
            .filter(|(path, _)| path.starts_with('/') && !path.starts_with(&format!("{HOME}/")));
        setup::lay(&one.life, &World { files: own.collect(), ..world })
    }

    /// Begins a program as somebody.
    pub(super) fn begin(
        &self,
        container: Container,
        user: User,
        env: &BTreeMap<String, String>,
        argv: &[&str],
    ) -> Result<Begun, String> {
        inside::begin(self.life(container)?, user, env, argv, Stdio::null())
    }

    /// Runs a program as somebody.
    pub(super) fn run(
        &self,
        container: Container,
        user: User,
        env: &BTreeMap<String, String>,
        argv: &[&str],
    ) -> Result<Outcome, String> {
        self.begin(container, user, env, argv)?.end()
    }

    /// A file of a container, seen from outside, for looking only.
    pub(super) fn path(&self, container: Container, inside: &str) -> Result<PathBuf, String> {
        Ok(self.life(container)?.path(inside))
    }

    /// What lives in a container.
    pub(super) fn processes(&self, container: Container) -> Vec<Process> {
        self.life(container).map(Life::processes).unwrap_or_default()
    }

    /// What a container printed, in all its lives.
    pub(super) fn console(&self, container: Container) -> String {
        self.one(container).map(|one| life::said(&one.layers.console())).unwrap_or_default()
    }

    /// For a story that did not hold: what could say why.
    pub(super) fn dump(&self) -> String {
        let mut text = String::new();
        for container in self.all() {
            text.push_str(&format!("--- {container}: processes\n"));
            for process in self.processes(container) {
                text.push_str(&format!("{:>5} {}\n", process.pid, process.line()));
            }
            text.push_str(&format!("--- {container}: slots\n{}", look::tell(self, container)));
            text.push_str(&format!("--- {container}: console\n{}", self.console(container)));
        }
        text.push_str(&format!("--- container-boot.log\n{}", look::boot_log(self)));
        text
    }
}

/// A word as the shell reads it back.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
