//! How much memory there is for this process, and how it is shared out.

use std::fs;
use std::path::Path;

use crate::workspace::MemoryLimits;

/// Without anything that tells, so much is taken for granted.
const MEMORY_BYTES_DEFAULT: u64 = 2 << 30;
const CACHE_BYTES: std::ops::RangeInclusive<u64> = (16 << 20)..=(512 << 20);
/// More would not help a load: what is sorted in smaller parts is sorted in the processor's caches.
const WORK_BYTES: std::ops::RangeInclusive<u64> = (16 << 20)..=(128 << 20);
/// A query may take at most this part of the memory.
const QUERY_PART: u64 = 2;

/// Memory for the parts of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryShares {
    pub workspace: MemoryLimits,
    /// Bytes that one query may take.
    pub query_bytes_max: usize,
}

impl MemoryShares {
    /// Shares out so many bytes, or what the process may have: the machine's memory, or less if its
    /// control group or its address space is limited.
    pub fn of(memory_bytes: Option<u64>) -> MemoryShares {
        let bytes = memory_bytes.unwrap_or_else(available_bytes);
        let within =
            |bytes: u64, range: std::ops::RangeInclusive<u64>| bytes.clamp(*range.start(), *range.end());
        MemoryShares {
            workspace: MemoryLimits {
                cache_bytes_max: within(bytes / 8, CACHE_BYTES),
                work_bytes_max: within(bytes / 5, WORK_BYTES) as usize,
            },
            query_bytes_max: usize::try_from(bytes / QUERY_PART).unwrap_or(usize::MAX),
        }
    }
}

fn available_bytes() -> u64 {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = own.lines().flat_map(limit_files).filter_map(|file| fs::read_to_string(file).ok());
    let limits = groups.filter_map(|text| text.trim().parse::<u64>().ok());
    let address_space = fs::read_to_string("/proc/self/limits").ok().and_then(|text| address_space(&text));
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| machine_bytes(&text));
    limits.chain(address_space).chain(machine).min().unwrap_or(MEMORY_BYTES_DEFAULT)
}

/// Returns the files that tell the memory limit of a line of `/proc/self/cgroup`: the group's own and,
/// where the group is the root of what the process sees, that root's.
fn limit_files(line: &str) -> Vec<std::path::PathBuf> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (root, file) = if controllers.is_empty() {
        ("/sys/fs/cgroup", "memory.max")
    } else if controllers.split(',').any(|controller| controller == "memory") {
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
    } else {
        return Vec::new();
    };
    let own = Path::new(root).join(path.trim_start_matches('/')).join(file);
    vec![own, Path::new(root).join(file)]
}

/// Reads the soft limit of the address space from `/proc/self/limits`; `None` if it is unlimited.
fn address_space(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn machine_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
}

/// Reads a size: a number of bytes, or one with K, M or G after it (powers of 1024).
///
/// # Errors
/// What is wrong with it.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().trim_end_matches("IB").trim_end_matches('B') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return Err(format!("'{text}' is no size, such as 512M or 2G")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("'{text}' is no size, such as 512M or 2G"))?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("'{text}' is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("17", 17), ("4k", 4096), ("512M", 512 << 20), ("2 GiB", 0), ("2GiB", 2 << 30)]
        {
            assert_eq!(parse_size(text).unwrap_or(0), bytes, "{text}");
        }
        for text in ["", "M", "-1", "1T", "99999999999G"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn limits_are_found_where_they_stand() {
        let files =
            |line| limit_files(line).iter().map(|file| file.display().to_string()).collect::<Vec<_>>();
        assert_eq!(files("0::/a/b"), ["/sys/fs/cgroup/a/b/memory.max", "/sys/fs/cgroup/memory.max"]);
        assert_eq!(files("7:cpu,memory:/")[0], "/sys/fs/cgroup/memory/memory.limit_in_bytes");
        assert!(files("3:cpuset:/").is_empty() && files("nonsense").is_empty());
        assert_eq!(address_space("Max address space         1024   unlimited  bytes"), Some(1024));
        assert_eq!(address_space("Max address space         unlimited   unlimited  bytes"), None);
        assert_eq!(machine_bytes("MemTotal:        2048 kB\nMemFree: 1 kB"), Some(2 << 20));
    }

    #[test]
    fn a_small_machine_gets_small_shares() {
        let small = MemoryShares::of(Some(512 << 20)).workspace;
        assert_eq!((small.cache_bytes_max >> 20, small.work_bytes_max >> 20), (64, 102));
        let large = MemoryShares::of(Some(64 << 30)).workspace;
        assert_eq!((large.cache_bytes_max >> 20, large.work_bytes_max >> 20), (512, 128));
    }
}
