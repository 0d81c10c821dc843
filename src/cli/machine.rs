//! What the command line and a script's first lines say about the machine that
//! a script starts on, and how such settings are written.
//!
//! Left out: machines that a script boots itself.

use crate::kernel::boot::BootConfig;
use crate::machine::{MachineConfig, PagingLevels};
use crate::script::bind::World;
use crate::script::diagnostic::Report;

/// Settings; what is not given is left to the defaults of `boot`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Number of processors.
    pub cpus: Option<u32>,
    /// Bytes of emulated memory.
    pub ram: Option<u64>,
    /// Whether there is a memory management unit.
    pub mmu: Option<bool>,
    /// Levels of the page tables.
    pub levels: Option<u8>,
    /// Source of everything random.
    pub seed: Option<u64>,
}

impl Machine {
    /// These settings, and where they say nothing, those of `other`.
    pub fn or(self, other: &Machine) -> Machine {
        Machine {
            cpus: self.cpus.or(other.cpus),
            ram: self.ram.or(other.ram),
            mmu: self.mmu.or(other.mmu),
            levels: self.levels.or(other.levels),
            seed: self.seed.or(other.seed),
        }
    }

    /// The settings for `boot`.
    pub fn config(&self) -> BootConfig {
        let usual = MachineConfig::default();
        let machine = MachineConfig {
            cpus: self.cpus.unwrap_or(usual.cpus),
            ram_bytes: self.ram.unwrap_or(usual.ram_bytes),
            paging_levels: match self.levels {
                Some(5) => PagingLevels::Five,
                Some(_) => PagingLevels::Four,
                None => usual.paging_levels,
            },
            mmu: self.mmu.unwrap_or(usual.mmu),
            nx: usual.nx,
        };
        BootConfig { machine, seed: self.seed.unwrap_or_default(), ..BootConfig::default() }
    }

    /// Boots it for scripts; an error if it is too small for the kernel.
    pub fn boot(&self) -> Result<World, Box<Report>> {
        World::new(self.config()).map_err(|e| {
            let report = Report::error("forkyard::boot", e.to_string());
            Box::new(report.help("give it more memory: `--ram 64M`"))
        })
    }

    /// Sets one setting from its text: `cpus=2`.
    pub fn set(&mut self, setting: &str) -> Result<(), String> {
        let Some((key, value)) = setting.split_once('=') else {
            return Err(format!("`{setting}` is not of the form name=value"));
        };
        match key {
            "cpus" => self.cpus = Some(parse_cpus(value)?),
            "ram" => match parse_size(value)? {
                bytes if bytes > MAX_RAM => return Err(format!("`{value}` is more than 8G")),
                bytes => self.ram = Some(bytes),
            },
            "mmu" => self.mmu = Some(parse_bool(value)?),
            "levels" => self.levels = Some(parse_levels(value)?),
            "seed" => {
                self.seed = Some(value.parse().map_err(|_| format!("`{value}` is not a number"))?)
            }
            _ => return Err(format!("`{key}` is not one of cpus, ram, mmu, levels, seed")),
        }
        Ok(())
    }
}

/// Most memory that a script may ask for. The command line may ask for more:
/// whoever types it owns the computer.
const MAX_RAM: u64 = 8 << 30;

/// Most processors of one machine.
pub const MAX_CPUS: u32 = 64;

/// A number of processors.
pub fn parse_cpus(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(n) if (1..=MAX_CPUS).contains(&n) => Ok(n),
        _ => Err(format!("`{text}` is not a number from 1 to {MAX_CPUS}")),
    }
}

/// A number of page-table levels.
pub fn parse_levels(text: &str) -> Result<u8, String> {
    match text {
        "4" => Ok(4),
        "5" => Ok(5),
        _ => Err(format!("page tables have 4 or 5 levels, not `{text}`")),
    }
}

/// A number of bytes: `4096`, `512K`, `64M`, `4G`.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let upper = text.to_ascii_uppercase();
    let upper = upper.strip_suffix("IB").or(upper.strip_suffix('B')).unwrap_or(&upper);
    let (digits, shift) = match upper.chars().last() {
        Some('K') => (&upper[..upper.len() - 1], 10),
        Some('M') => (&upper[..upper.len() - 1], 20),
        Some('G') => (&upper[..upper.len() - 1], 30),
        Some('T') => (&upper[..upper.len() - 1], 40),
        _ => (upper, 0),
    };
    let number: u64 =
        digits.parse().map_err(|_| format!("`{text}` is not a size such as 512K, 64M or 4G"))?;
    let bytes = number.checked_mul(1 << shift);
    bytes.filter(|b| *b > 0).ok_or_else(|| format!("`{text}` is not a possible size"))
}

fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "true" | "on" | "yes" => Ok(true),
        "false" | "off" | "no" => Ok(false),
        _ => Err(format!("`{text}` is not on or off")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_size("64M"), Ok(64 << 20));
        assert_eq!(parse_size("4GiB"), Ok(4 << 30));
        assert_eq!(parse_size("512k"), Ok(512 << 10));
        assert_eq!(parse_size("4096"), Ok(4096));
        for wrong in ["", "M", "-1", "0", "1.5G", "99999999999T", "漢", "64 M"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn earlier_settings_win() {
        let mut script = Machine::default();
        script.set("cpus=2").unwrap();
        script.set("ram=8M").unwrap();
        script.set("mmu=off").unwrap();
        let line = Machine { cpus: Some(4), ..Machine::default() };
        let both = line.or(&script);
        assert_eq!((both.cpus, both.ram, both.mmu), (Some(4), Some(8 << 20), Some(false)));
        for wrong in ["cpus", "cpus=0", "ram=9G", "cpu=1", "levels=3", "mmu=maybe", "seed=x"] {
            assert!(script.set(wrong).is_err(), "{wrong}");
        }
    }
}
