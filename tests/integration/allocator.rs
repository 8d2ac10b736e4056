//! The allocator of the program, which was chosen by measurement.

use std::process::Command;

use crate::support::program;

#[test]
#[cfg_attr(not(feature = "jemalloc"), ignore = "built without jemalloc")]
fn the_allocator_is_set_as_it_was_measured() {
    let settings = concat!(env!("CARGO_MANIFEST_DIR"), "/.cargo/config.toml");
    let settings: toml::Table = std::fs::read_to_string(settings).unwrap().parse().unwrap();
    let expected = settings["env"]["JEMALLOC_SYS_WITH_MALLOC_CONF"].as_str().unwrap();
    let said = Command::new(program()).arg("--version").env("_RJEM_MALLOC_CONF", "confirm_conf:true").output().unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    for setting in expected.split(',') {
        assert!(said.contains(&format!("Set conf value: {setting}")), "{said}");
    }
}
