//! Floor 1: the default port number of a profile's gateway.
//!
//! Pure: whether the port is free is not known here.

use sha2::{Digest, Sha256};

use crate::name::Profile;

const FIRST: u32 = 9200;
const COUNT: u32 = 600;

/// SHA-256 of the name, first four bytes big-endian, mod 600, plus 9200.
pub fn default_port(profile: &Profile) -> u16 {
    let digest = Sha256::digest(profile.as_str().as_bytes());
    let head = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    u16::try_from(FIRST + head % COUNT).expect("9200 + 599 fits 16 bits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    // Figures from `printf %s NAME | sha256sum`, computed independently of this code.
    #[rstest]
    #[case("default", 9449)]
    #[case("coder", 9570)]
    fn the_port_follows_from_the_name_alone(#[case] name: &str, #[case] expected: u16) {
        assert_eq!(default_port(&Profile::parse(name).expect("legal")), expected);
    }
}
