//! The first turn: signals become events, then our identity and the configuration are read.
//!
//! Takes the lock only to record in the state file that the configuration is wrong; starts nothing.

use std::ffi::OsStr;
use std::sync::Arc;

use super::backoff::{self, FailureTally};
use super::exit_reason::ExitReason;
use super::ownership::{self, LockClaim};
use super::{Core, Phase, SIGNALS, Setup, Step, TurnContext, exit};
use crate::error::{Errno, HostError};
use crate::host::{Host, proc};
use crate::port;
use crate::record::config::{self, Config};
use crate::record::identity;

pub(super) async fn begin<H: Host>(
    context: &mut TurnContext<'_, H>,
) -> Result<(Core, Step), HostError> {
    // First of all: a SIGTERM during the start is an event, too.
    proc::trap(context.host, &SIGNALS).await?;
    let mut core = open_core(context).await?;
    let configured = match read_config(context).await {
        Ok(config) => port_of(context.setup, &config).map(|port| (config, port)),
        Err(reason) => Err(reason),
    };
    let step = match configured {
        Ok((config, port)) => {
            core.config = Arc::new(config);
            core.port = port;
            Step::To(Phase::Claiming(LockClaim::default()))
        }
        Err(reason) => refuse_config(context, &mut core, reason).await?,
    };
    Ok((core, step))
}

async fn open_core<H: Host>(context: &mut TurnContext<'_, H>) -> Result<Core, HostError> {
    let notify = match context.setup.notify {
        None => None,
        Some(descriptor) => match proc::inherited(context.host, descriptor).await {
            Ok(file) => Some(file),
            Err(error) => {
                context.add_note(error);
                None
            }
        },
    };
    let boot = identity::current_boot(context.host).await?;
    let pid = context.setup.pid;
    let me = identity::find_process(context.host, &boot, pid).await?;
    Ok(Core {
        own_process: me
            .ok_or_else(|| HostError::new("find", format!("/proc/{pid}"), Errno::SRCH))?,
        config: Arc::new(Config::default()),
        port: port::default_port(&context.setup.profile),
        notify,
        command: None,
        lock: None,
        state_file_error: None,
        tally: FailureTally::default(),
    })
}

async fn read_config<H: Host>(context: &TurnContext<'_, H>) -> Result<Config, String> {
    let path = context.setup.layout.config(&context.setup.profile);
    config::read(context.host, &path).await.map_err(|error| error.to_string())
}

/// The configured port; else, only for `default`, the port in the container's environment; else the port derived from
/// the name.
fn port_of(setup: &Setup, config: &Config) -> Result<u16, String> {
    let given = setup.env.get(OsStr::new("HERMES_GATEWAY_PORT"));
    match (config.port, given) {
        (Some(port), _) => Ok(port.0),
        (None, Some(given)) if setup.profile.is_default() => given
            .to_str()
            .and_then(|text| text.parse().ok())
            .filter(|&port| port > 0)
            .ok_or_else(|| format!("HERMES_GATEWAY_PORT is {given:?}, not a port number")),
        (None, _) => Ok(port::default_port(&setup.profile)),
    }
}

/// Reports that the configuration is wrong, in the state file too if no other gateway owns it.
async fn refuse_config<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    reason: String,
) -> Result<Step, HostError> {
    core.lock = ownership::try_lock(context).await.unwrap_or_default();
    if core.lock.is_some() {
        core.tally = backoff::read_tally(context, core).await?;
    }
    Ok(exit::finish(context, core, ExitReason::permanent(reason)).await)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Layout;
    use crate::name::Profile;
    use crate::record::config::Port;
    use rstest::rstest;
    use std::path::Path;

    #[rstest]
    #[case("default", Some(7), Some("8"), Ok(7))]
    #[case("default", None, Some("8"), Ok(8))]
    #[case("default", None, None, Ok(9449))]
    #[case("coder", None, Some("8"), Ok(9570))]
    #[case("default", None, Some("0"), Err("HERMES_GATEWAY_PORT is \"0\", not a port number"))]
    #[case("default", None, Some("x"), Err("HERMES_GATEWAY_PORT is \"x\", not a port number"))]
    fn the_port_is_the_configured_one_or_follows_from_the_name(
        #[case] profile: &str,
        #[case] configured: Option<u16>,
        #[case] given: Option<&str>,
        #[case] expected: Result<u16, &str>,
    ) {
        let setup = Setup {
            layout: Layout::from_home(Path::new("/h")),
            profile: Profile::parse(profile).expect("legal"),
            env: given.iter().map(|port| ("HERMES_GATEWAY_PORT".into(), port.into())).collect(),
            pid: 7,
            notify: None,
            supervised: false,
        };
        let config = Config { port: configured.map(Port), ..Config::default() };
        assert_eq!(port_of(&setup, &config), expected.map_err(str::to_owned));
    }
}
