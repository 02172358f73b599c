//! What lies in a container and on its volume before the first boot, and every file that a story changes afterwards.
//!
//! Files are changed by programs inside, as root: a link in a container never leads out of it.

use std::collections::BTreeMap;
use std::process::Stdio;

use super::behaviour;
use super::inside::{self, uid};
use super::life::Life;
use crate::image::HOME;
use crate::play::intent_text;
use crate::scenario::World;
use crate::scenario::words::User;
use crate::scenario::world::{Content, Node};

/// Where a file of the scenario is: absolute, or below the home.
pub(crate) fn place(address: &str) -> String {
    if address.starts_with('/') { address.to_owned() } else { format!("{HOME}/{address}") }
}

/// A shell's words on paths inside, as root. What it says on stderr is the error.
pub(crate) fn sh(life: &Life, script: &str, words: &[&str], stdin: &[u8]) -> Result<(), String> {
    let path = "/usr/sbin:/usr/bin:/sbin:/bin".to_owned();
    let env = BTreeMap::from([("PATH".to_owned(), path)]);
    let argv = [&["sh", "-ec", script, "sh"], words].concat();
    let mut begun = inside::begin(life, User::Root, &env, &argv, Stdio::piped())?;
    begun.feed(stdin)?;
    let ended = begun.end()?;
    match ended.code {
        Some(0) => Ok(()),
        code => Err(format!("`{script}` with {words:?} exited {code:?}: {}", ended.err)),
    }
}

/// Whoever owns what is made above a file: on the volume hermes, elsewhere root, as on the simulated machine.
const PARENTS: &str = r#"
mkdirs() {
    test -d "$1" && return
    mkdirs "$(dirname "$1")"
    mkdir -m 0755 "$1"
    chown "$2:$2" "$1"
}
mkdirs "$(dirname "$1")" "$2"
"#;

/// Puts a file of the scenario where it says.
pub(crate) fn put(life: &Life, address: &str, node: &Node) -> Result<(), String> {
    let path = place(address);
    let owner = uid(node.owner).to_string();
    let mode = |usual: u32| format!("{:04o}", node.mode.map_or(usual, |mode| mode.0));
    let (program, named);
    let (make, mode, bytes): (&str, String, &[u8]) = match &node.content {
        Content::File(bytes) => ("cat >\"$1.new\"", mode(0o644), bytes),
        Content::Dir => ("test -d \"$1\" || mkdir \"$1\"; new=$1", mode(0o755), b""),
        Content::Fifo => ("mkfifo \"$1.new\"", mode(0o600), b""),
        Content::HardLink(other) => {
            named = place(other);
            ("ln \"$(cat)\" \"$1.new\"", String::new(), named.as_bytes())
        }
        Content::Link(target) => ("ln -s \"$(cat)\" \"$1.new\"", String::new(), target.as_bytes()),
        Content::Program(lines) => {
            program = behaviour::script(lines);
            ("cat >\"$1.new\"", mode(0o755), program.as_bytes())
        }
    };
    let script = format!(
        "{PARENTS}new=$1.new\n{make}\nchown -h \"$2:$2\" \"$new\"\ntest -z \"$3\" || chmod \"$3\" \"$new\"\n\
         test \"$new\" = \"$1\" || mv -fT \"$new\" \"$1\""
    );
    sh(life, &script, &[&path, &owner, &mode], bytes)
}

/// Everything that the world has besides the image.
pub(crate) fn lay(life: &Life, world: &World) -> Result<(), String> {
    for (name, profile) in &world.profiles {
        let dir = match name.0.is_default() {
            true => String::new(),
            false => format!("profiles/{name}/"),
        };
        let text = |text: &str| Node {
            content: Content::File(text.as_bytes().to_vec()),
            owner: User::Hermes,
            mode: None,
        };
        put(life, &format!("{dir}SOUL.md"), &text(""))?;
        if let Some(intent) = profile.intent {
            put(life, &format!("{dir}gateway_intent.json"), &text(&intent_text(intent)))?;
        }
        if let Some(state) = &profile.state {
            let record = format!("{{\"gateway_state\":\"{state}\"}}\n");
            put(life, &format!("{dir}gateway_state.json"), &text(&record))?;
        }
        if let Some(config) = &profile.config {
            put(life, &format!("{dir}gateway.toml"), &text(config))?;
        }
        for (path, node) in &profile.files {
            put(life, &format!("{dir}{path}"), node)?;
        }
    }
    for (address, node) in &world.files {
        put(life, address, node)?;
    }
    for (path, program) in &world.programs {
        let content = Content::Program(program.clone());
        put(life, path, &Node { content, owner: User::Root, mode: None })?;
    }
    Ok(())
}
