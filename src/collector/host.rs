//! What does not change while the daemon runs: which host this is.

use std::fs;

use sysinfo::System;

use super::cpu;
use crate::sample::Host;

/// Asks the system which host this is; what it does not tell is empty.
pub fn read_host() -> Host {
    Host {
        name: System::host_name().unwrap_or_default(),
        os: System::long_os_version().unwrap_or_default(),
        kernel: System::kernel_version().unwrap_or_default(),
        cpus: fs::read("/proc/stat").map_or(0, |stat| cpu::core_numbers(&stat).count()),
        boot_id: fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map_or_else(|_| String::new(), |id| id.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_is_known() {
        let host = read_host();
        assert!(!host.name.is_empty() && !host.os.is_empty(), "{host:?}");
        assert!(host.kernel.starts_with(|c: char| c.is_ascii_digit()), "{host:?}");
        assert!(host.cpus >= 1);
        assert_eq!(host.boot_id.len(), 36);
        assert_eq!(host, read_host());
    }
}
