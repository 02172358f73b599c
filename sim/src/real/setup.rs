//! What lies in a container and on its volume before the first boot, and every file that a story changes afterwards.
//!
//! Files are changed by programs inside, as root: a link in a container never leads out of it.

use super::container::ContainerHandle;
use super::exec::uid;
use super::perl_program;
use crate::execution::intent_text;
use crate::machine::image::HOME;
use crate::scenario::WorldSpec;
use crate::scenario::values::User;
use crate::scenario::world::{FileContent, FileSpec};

/// Where a file of the scenario is: absolute, or below the home.
pub(crate) fn absolute_path(address: &str) -> String {
    if address.starts_with('/') { address.to_owned() } else { format!("{HOME}/{address}") }
}

/// A shell's words on paths inside, as root. What it says on stderr is the error.
pub(crate) fn run_script(
    vessel: &dyn ContainerHandle,
    script: &str,
    words: &[&str],
    stdin: &[u8],
) -> Result<(), String> {
    let ended = vessel.run_script(script, words, stdin)?;
    match ended.code {
        Some(0) => Ok(()),
        code => Err(format!("`{script}` with {words:?} exited {code:?}: {}", ended.err)),
    }
}

/// What is made above a file belongs to the file's owner, as on the simulated machine.
const PARENTS: &str = r#"
mkdirs() {
    test -d "$1" && return
    mkdirs "$(dirname "$1")" "$2"
    mkdir -m 0755 "$1"
    chown "$2:$2" "$1"
}
mkdirs "$(dirname "$1")" "$2"
"#;

/// Makes a directory and so many below it, as the bytes say.
const NESTED: &str = r#"
test -d "$1" || mkdir "$1"
new=$1
deepest=$1
levels=$(head -c "$4")
while test "$levels" -gt 0; do
    deepest=$deepest/d
    levels=$((levels - 1))
done
mkdirs "$deepest" "$2"
"#;

/// Puts a file of the scenario where it says.
pub(crate) fn write_node(
    vessel: &dyn ContainerHandle,
    address: &str,
    node: &FileSpec,
) -> Result<(), String> {
    let path = absolute_path(address);
    let owner = uid(node.owner).to_string();
    let mode = |usual: u32| format!("{:04o}", node.mode.map_or(usual, |mode| mode.0));
    let (program, named, depth);
    let (make, mode, bytes): (&str, String, &[u8]) = match &node.content {
        FileContent::File(bytes) => ("head -c \"$4\" >\"$1.new\"", mode(0o644), bytes),
        FileContent::Dir => ("test -d \"$1\" || mkdir \"$1\"; new=$1", mode(0o755), b""),
        FileContent::Nested(levels) => {
            depth = levels.to_string();
            (NESTED, mode(0o755), depth.as_bytes())
        }
        FileContent::Fifo => ("mkfifo \"$1.new\"", mode(0o600), b""),
        FileContent::HardLink(other) => {
            named = absolute_path(other);
            ("ln \"$(head -c \"$4\")\" \"$1.new\"", String::new(), named.as_bytes())
        }
        FileContent::Link(target) => {
            ("ln -s \"$(head -c \"$4\")\" \"$1.new\"", String::new(), target.as_bytes())
        }
        FileContent::Program(lines) => {
            program = perl_program::script(lines);
            ("head -c \"$4\" >\"$1.new\"", mode(0o755), program.as_bytes())
        }
    };
    // Another name of a file is that file's owner's.
    let is_name = matches!(node.content, FileContent::HardLink(_));
    let own = if is_name { "" } else { "chown -h \"$2:$2\" \"$new\"" };
    let script = format!(
        "{PARENTS}new=$1.new\n{make}\n{own}\ntest -z \"$3\" || chmod \"$3\" \"$new\"\n\
         test \"$new\" = \"$1\" || mv -fT \"$new\" \"$1\""
    );
    // An engine may forget to say that its standard input has ended: so many bytes are read, and no end is waited for.
    run_script(vessel, &script, &[&path, &owner, &mode, &bytes.len().to_string()], bytes)
}

/// Everything that the world has besides the image.
pub(crate) fn install_world(vessel: &dyn ContainerHandle, world: &WorldSpec) -> Result<(), String> {
    for (name, profile) in &world.profiles {
        let dir = match name.0.is_default() {
            true => String::new(),
            false => format!("profiles/{name}/"),
        };
        let text = |text: &str| FileSpec {
            content: FileContent::File(text.as_bytes().to_vec()),
            owner: User::Hermes,
            mode: None,
        };
        write_node(vessel, &format!("{dir}SOUL.md"), &text(""))?;
        if let Some(intent) = profile.intent {
            write_node(vessel, &format!("{dir}gateway_intent.json"), &text(&intent_text(intent)))?;
        }
        if let Some(state) = &profile.state {
            let record = format!("{{\"gateway_state\":\"{state}\"}}\n");
            write_node(vessel, &format!("{dir}gateway_state.json"), &text(&record))?;
        }
        if let Some(config) = &profile.config {
            write_node(vessel, &format!("{dir}gateway.toml"), &text(config))?;
        }
        for (path, node) in &profile.files {
            write_node(vessel, &format!("{dir}{path}"), node)?;
        }
    }
    // Another name needs the file that it names.
    let is_name = |node: &FileSpec| matches!(node.content, FileContent::HardLink(_));
    let (names, files): (Vec<_>, Vec<_>) = world.files.iter().partition(|(_, it)| is_name(it));
    for (address, node) in files.into_iter().chain(names) {
        write_node(vessel, address, node)?;
    }
    for (path, program) in &world.programs {
        let content = FileContent::Program(program.clone());
        write_node(vessel, path, &FileSpec { content, owner: User::Root, mode: None })?;
    }
    Ok(())
}
