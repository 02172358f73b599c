//! A container of an engine, over all its starts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    KillContainerOptions, LogsOptions, RemoveContainerOptions, RestartContainerOptions,
    StopContainerOptions,
};
use futures_util::StreamExt;

use super::exec::{self, ExecRequest};
use super::exec_observer::ExecObserver;
use super::host_pid::HostPid;
use super::volume_holder::VolumeHolder;
use crate::machine::image::HOME;
use crate::real::container::{
    AwaitExit, ContainerHandle, ObservedFile, StartOptions, lock_holders_in,
};
use crate::real::exec::ExecOutput;
use crate::real::processes::{self, HostProcess};
use crate::real::{perl_program, procfs};
use crate::scenario::values::{SignalName, User};

/// One container. It is created when it is first started: only then all its options are known.
pub(super) struct EngineContainer {
    holder: Rc<VolumeHolder>,
    number: u8,
    id: Option<String>,
    is_frozen: bool,
    /// Archives that are unpacked over the image's files when the container is created.
    layers: RefCell<Vec<Vec<u8>>>,
    observer: RefCell<Option<ExecObserver>>,
    /// The current PID 1, if it can be observed from outside.
    host_pid: RefCell<Option<HostPid>>,
}

impl std::fmt::Debug for EngineContainer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "container {} of {}", self.number, self.holder.name)
    }
}

impl EngineContainer {
    pub(super) fn new(holder: Rc<VolumeHolder>, number: u8) -> Self {
        let (layers, observer, host_pid) =
            (RefCell::default(), RefCell::default(), RefCell::default());
        Self { holder, number, id: None, is_frozen: false, layers, observer, host_pid }
    }

    fn id(&self) -> Result<&str, String> {
        self.id.as_deref().ok_or_else(|| format!("{self:?} was not started yet"))
    }

    fn make(&mut self, start: &StartOptions) -> Result<String, String> {
        let env = start.env.iter().map(|(name, value)| format!("{name}={value}"));
        let tmpfs = start.noexec_run.then(|| [("/run".to_owned(), String::new())].into());
        let host_config =
            HostConfig { tmpfs, readonly_rootfs: Some(start.noexec_run), ..Default::default() };
        let config = ContainerCreateBody {
            host_config: Some(host_config),
            entrypoint: start.entrypoint(),
            cmd: (!start.command.is_empty()).then(|| start.command.clone()),
            env: Some(env.collect()),
            ..Default::default()
        };
        let id = self.holder.create(&format!("c{}", self.number), config)?;
        for layer in self.layers.take() {
            self.holder.unpack(&id, &layer)?;
        }
        self.id = Some(id.clone());
        Ok(id)
    }

    /// Is PID 1 running?
    fn is_alive(&self) -> bool {
        let Some(id) = &self.id else { return false };
        let found =
            self.holder.engine.block_on(self.holder.engine.docker.inspect_container(id, None));
        found.is_ok_and(|info| info.state.and_then(|state| state.running) == Some(true))
    }

    /// Asks the observer inside; starts another one if it has ended.
    fn with_observer<T>(
        &self,
        mut ask: impl FnMut(&mut ExecObserver) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut observer = self.observer.borrow_mut();
        if let Some(running) = observer.as_mut() {
            match ask(running) {
                Ok(answer) => return Ok(answer),
                // The observer ended with the last PID 1.
                Err(_) => *observer = None,
            }
        }
        if self.is_frozen || !self.is_alive() {
            return Err(format!("{self:?} does not run"));
        }
        let mut begun = ExecObserver::begin(&self.holder.engine, self.id()?)?;
        let answer = ask(&mut begun)?;
        *observer = Some(begun);
        Ok(answer)
    }

    /// Observes from outside, if that is possible.
    fn with_host_pid<T>(&self, observe: impl FnOnce(&HostPid) -> T) -> Result<T, String> {
        if !self.holder.has_host_pid() {
            return Err(format!("{self:?} can be observed from inside only"));
        }
        let mut host_pid = self.host_pid.borrow_mut();
        if host_pid.as_ref().is_some_and(|pid| !pid.is_alive()) {
            *host_pid = None;
        }
        match host_pid.as_ref() {
            Some(host_pid) => Ok(observe(host_pid)),
            None => Ok(observe(host_pid.insert(HostPid::of(&self.holder.engine, self.id()?)?))),
        }
    }

    fn is_on_volume(path: &str) -> bool {
        path.strip_prefix(HOME).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn seconds(grace: Duration) -> Option<i32> {
    i32::try_from(grace.as_millis().div_ceil(1000)).ok()
}

impl ContainerHandle for EngineContainer {
    fn start(&mut self, start: &StartOptions) -> Result<(), String> {
        let id = match &self.id {
            Some(id) => id.clone(),
            None => self.make(start)?,
        };
        self.holder.engine.block_on(self.holder.engine.docker.start_container(&id, None))
    }

    fn stop(&mut self, grace: Duration) -> Result<(), String> {
        self.observer.take();
        let options = StopContainerOptions { t: seconds(grace), ..Default::default() };
        let engine = &self.holder.engine;
        engine.block_on(engine.docker.stop_container(self.id()?, Some(options)))
    }

    fn restart(&mut self, grace: Duration, _: &StartOptions) -> Result<(), String> {
        self.observer.take();
        let options = RestartContainerOptions { t: seconds(grace), ..Default::default() };
        let engine = &self.holder.engine;
        engine.block_on(engine.docker.restart_container(self.id()?, Some(options)))
    }

    fn kill(&mut self) -> Result<(), String> {
        self.observer.take();
        if !self.is_alive() {
            return Ok(());
        }
        let engine = &self.holder.engine;
        engine.block_on(engine.docker.kill_container(self.id()?, None::<KillContainerOptions>))?;
        let ended = || if self.is_alive() { Err("it still runs".to_owned()) } else { Ok(()) };
        crate::real::wait::poll_within(crate::real::wait::PATIENCE, ended)
    }

    fn pause(&mut self) -> Result<(), String> {
        self.observer.take();
        let engine = &self.holder.engine;
        engine.block_on(engine.docker.pause_container(self.id()?))?;
        self.is_frozen = true;
        Ok(())
    }

    fn unpause(&mut self) -> Result<(), String> {
        let engine = &self.holder.engine;
        engine.block_on(engine.docker.unpause_container(self.id()?))?;
        self.is_frozen = false;
        Ok(())
    }

    fn recreate(&mut self) -> Result<(), String> {
        self.observer.take();
        self.layers.take();
        let Some(id) = self.id.take() else { return Ok(()) };
        let engine = &self.holder.engine;
        let options = RemoveContainerOptions { force: true, ..Default::default() };
        engine.block_on(engine.docker.remove_container(&id, Some(options)))
    }

    fn refresh(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn is_running(&mut self) -> bool {
        self.is_alive()
    }

    fn begin_exec(
        &self,
        user: User,
        env: &BTreeMap<String, String>,
        argv: &[&str],
        stdin: &[u8],
    ) -> Result<AwaitExit, String> {
        let program = ExecRequest { user, env, argv };
        let ended = exec::begin(&self.holder.engine, self.id()?, &program, stdin)?;
        Ok(Box::new(move || Ok(ended()?.into_text())))
    }

    fn run_script(&self, script: &str, words: &[&str], stdin: &[u8]) -> Result<ExecOutput, String> {
        if words.first().is_some_and(|path| Self::is_on_volume(path)) {
            return Ok(self.holder.run_script(script, words, stdin)?.into_text());
        }
        if self.is_alive() {
            let argv = [&["sh", "-ec", script, "sh"], words].concat();
            return self.begin_exec(User::Root, &BTreeMap::new(), &argv, stdin)?();
        }
        match self.holder.prepare(script, words, stdin)? {
            Err(ended) => return Ok(ended.into_text()),
            Ok(layer) => match &self.id {
                Some(id) => self.holder.unpack(id, &layer)?,
                None => self.layers.borrow_mut().push(layer),
            },
        }
        Ok(ExecOutput {
            code: Some(0),
            out: String::new(),
            err: String::new(),
            elapsed: Duration::ZERO,
        })
    }

    fn observe_file(&self, path: &str) -> Option<ObservedFile> {
        if self.holder.has_host_pid() {
            return procfs::observe_file(&self.procfs_path(path).ok()?);
        }
        if Self::is_on_volume(path) {
            return self.holder.observe_file(path);
        }
        let engine = &self.holder.engine;
        self.with_observer(|observer| observer.observe_file(engine, path)).ok().flatten()
    }

    fn procfs_path(&self, path: &str) -> Result<PathBuf, String> {
        match Self::is_on_volume(path) {
            true => self.holder.procfs_path(path),
            false => self.with_host_pid(|host_pid| host_pid.path(path)),
        }
    }

    fn check_fifo_reader(&self, fifo: &str) -> Result<(), String> {
        if self.holder.has_host_pid() {
            return procfs::check_fifo_reader(&self.procfs_path(fifo)?);
        }
        let engine = &self.holder.engine;
        // That no process reads is an answer, too: it does not end the observer.
        self.with_observer(|observer| Ok(observer.check_fifo_reader(engine, fifo)))?
    }

    fn processes(&self) -> Vec<HostProcess> {
        if self.holder.has_host_pid() {
            return self
                .with_host_pid(|host_pid| processes::list_namespace(host_pid.init))
                .unwrap_or_default();
        }
        let engine = &self.holder.engine;
        self.with_observer(|observer| observer.processes(engine)).unwrap_or_default()
    }

    fn signal(&self, to: &HostProcess, signal: SignalName) -> Result<(), String> {
        let name = perl_program::name(signal);
        let engine = &self.holder.engine;
        if to.pid == 1 {
            let options = KillContainerOptions { signal: name.to_owned() };
            return engine.block_on(engine.docker.kill_container(self.id()?, Some(options)));
        }
        self.with_observer(|observer| observer.signal(engine, to.pid, name))
    }

    fn lock_holders(&self, inode: u64) -> Vec<u32> {
        if self.holder.has_host_pid() {
            return procfs::lock_holders(inode);
        }
        let locks = self.observe_file("/proc/locks").map(|file| file.text());
        lock_holders_in(&locks.unwrap_or_default(), inode)
    }

    fn console(&self) -> String {
        let Some(id) = &self.id else { return String::new() };
        let options = LogsOptions {
            stdout: true,
            stderr: true,
            tail: "all".to_owned(),
            ..Default::default()
        };
        let engine = &self.holder.engine;
        let parts = engine.docker.logs(id, Some(options));
        let parts = engine.runtime.block_on(parts.collect::<Vec<_>>());
        parts.iter().flatten().map(ToString::to_string).collect()
    }
}
