//! `/etc/passwd` and `/etc/group`, read and edited line by line (`passwd(5)`, `group(5)`).
//!
//! Pure: the caller reads and replaces the files. Other lines stay as they are, byte for byte.

/// One user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// User number.
    pub uid: u32,
    /// Number of the user's own group.
    pub gid: u32,
}

/// The ids of a user in a passwd file.
pub fn find_user(passwd: &[u8], name: &str) -> Option<Ids> {
    let line = lines(passwd).find(|line| is_entry_of(line, name))?;
    let fields: Vec<&[u8]> = fields(line).collect();
    Some(Ids { uid: number(fields.get(2)?)?, gid: number(fields.get(3)?)? })
}

/// The groups of a user: its own first, then those of a group file that name it among their members.
pub fn groups_of(group: &[u8], name: &str, own: u32) -> Vec<u32> {
    let names_it = |line: &&[u8]| {
        let members = fields(line).nth(3).unwrap_or_default();
        members.split(|&byte| byte == b',').any(|member| member == name.as_bytes())
    };
    let others = lines(group).filter(names_it).filter_map(|line| number(fields(line).nth(2)?));
    let mut gids = vec![own];
    for gid in others {
        if !gids.contains(&gid) {
            gids.push(gid);
        }
    }
    gids
}

/// Another user with this number: both own the same files.
pub fn other_user_with(passwd: &[u8], uid: u32, name: &str) -> Option<String> {
    let line = lines(passwd)
        .filter(|line| !is_entry_of(line, name))
        .find(|line| fields(line).nth(2).and_then(number) == Some(uid))?;
    fields(line).next().map(|name| String::from_utf8_lossy(name).into_owned())
}

/// A passwd file in which the user has these ids; a user that is not there is added, without a password or a shell.
pub fn with_user(passwd: &[u8], name: &str, ids: Ids, home: &str) -> Vec<u8> {
    let (uid, gid) = (ids.uid.to_string(), ids.gid.to_string());
    edit(passwd, name, &[(2, &uid), (3, &gid)], || {
        format!("{name}:x:{uid}:{gid}::{home}:/usr/sbin/nologin")
    })
}

/// A group file in which the group has this number; a group that is not there is added, without members.
pub fn with_group(group: &[u8], name: &str, gid: u32) -> Vec<u8> {
    let gid = gid.to_string();
    edit(group, name, &[(2, &gid)], || format!("{name}:x:{gid}:"))
}

fn edit(file: &[u8], name: &str, changes: &[(usize, &str)], new: impl Fn() -> String) -> Vec<u8> {
    let mut edited = Vec::with_capacity(file.len() + 16);
    let mut found = false;
    for line in lines(file) {
        if is_entry_of(line, name) {
            found = true;
            edited.extend(replace_fields(line, changes));
        } else {
            edited.extend_from_slice(line);
        }
        edited.push(b'\n');
    }
    if !found {
        edited.extend_from_slice(new().as_bytes());
        edited.push(b'\n');
    }
    edited
}

fn replace_fields(line: &[u8], changes: &[(usize, &str)]) -> Vec<u8> {
    let mut values: Vec<&[u8]> = fields(line).collect();
    for &(index, value) in changes {
        if values.len() <= index {
            values.resize(index + 1, b"");
        }
        values[index] = value.as_bytes();
    }
    values.join(&b':')
}

fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file.strip_suffix(b"\n")
        .unwrap_or(file)
        .split(|&byte| byte == b'\n')
        .filter(move |line| !(file.is_empty() && line.is_empty()))
}

fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b':')
}

fn is_entry_of(line: &[u8], name: &str) -> bool {
    fields(line).next() == Some(name.as_bytes())
}

fn number(field: impl AsRef<[u8]>) -> Option<u32> {
    std::str::from_utf8(field.as_ref()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/bash\n\
        hermes:x:10000:10000:a, b:/opt/data:/bin/sh\nhermes2:x:7:8::/:/bin/sh\n";

    #[rstest]
    #[case("root", Some((0, 0)))]
    #[case("hermes", Some((10000, 10000)))]
    #[case("herm", None)]
    #[case("", None)]
    fn a_user_is_found_by_the_whole_name(#[case] name: &str, #[case] expected: Option<(u32, u32)>) {
        assert_eq!(find_user(PASSWD, name).map(|ids| (ids.uid, ids.gid)), expected);
    }

    #[rstest]
    #[case(b"hermes:x:many:1::/:/bin/sh\n")]
    #[case(b"hermes:x\n")]
    #[case(b"")]
    #[case(b"\n\n")]
    #[case(b"hermes:\xff:\xff:\xff")]
    fn a_broken_line_is_no_user(#[case] passwd: &[u8]) {
        assert_eq!(find_user(passwd, "hermes"), None);
    }

    #[test]
    fn only_the_ids_of_the_user_change() {
        let edited = with_user(PASSWD, "hermes", Ids { uid: 1000, gid: 1001 }, "/opt/data");
        let expected = String::from_utf8_lossy(PASSWD).replace("10000:10000", "1000:1001");
        assert_eq!(String::from_utf8_lossy(&edited), expected);
    }

    #[rstest]
    #[case(b"", "hermes:x:5:6::/h:/usr/sbin/nologin\n")]
    #[case(b"a:x:1:1::/:/bin/sh", "a:x:1:1::/:/bin/sh\nhermes:x:5:6::/h:/usr/sbin/nologin\n")]
    #[case(b"hermes:x\n", "hermes:x:5:6\n")]
    #[case(b"a:x:1:1\n\nb:x:2:2\n", "a:x:1:1\n\nb:x:2:2\nhermes:x:5:6::/h:/usr/sbin/nologin\n")]
    fn an_absent_user_is_added(#[case] passwd: &[u8], #[case] expected: &str) {
        let edited = with_user(passwd, "hermes", Ids { uid: 5, gid: 6 }, "/h");
        assert_eq!(String::from_utf8_lossy(&edited), expected);
    }

    #[test]
    fn the_group_keeps_its_members() {
        let edited = with_group(b"root:x:0:\nhermes:x:10000:ann,bob\n", "hermes", 44);
        assert_eq!(String::from_utf8_lossy(&edited), "root:x:0:\nhermes:x:44:ann,bob\n");
    }

    #[test]
    fn a_number_that_another_user_has_is_noticed() {
        assert_eq!(other_user_with(PASSWD, 7, "hermes").as_deref(), Some("hermes2"));
        assert_eq!(other_user_with(PASSWD, 10000, "hermes"), None);
    }

    #[rstest]
    #[case(b"root:x:0:\nhermes:x:8:\ndocker:x:44:ann,hermes\nx:x:45:hermes2\n", &[8, 44])]
    #[case(b"hermes:x:8:hermes\n", &[8])]
    #[case(b"odd:x:many:hermes\nshort:x\n", &[8])]
    fn the_groups_of_a_user_are_its_own_and_those_that_name_it(
        #[case] group: &[u8],
        #[case] expected: &[u32],
    ) {
        assert_eq!(groups_of(group, "hermes", 8), expected);
    }
}
