//! Memory through virtual addresses: sized loads and stores, and byte strings
//! in pieces of a page.
//!
//! A sized access that crosses a page translates both pages before it writes
//! anything. A byte string is many accesses: it stops at the first page that
//! faults and says how far it got, as `copy_to_user` does.
//!
//! Linux: arch/x86/lib/copy_user_64.S. Source: Intel SDM vol. 3, 10.1.1.
//! Left out: caches, memory order between CPUs.

use super::exception::Exception;
use super::mmu::{Access, translate};
use super::regs::{Cr0, Ring};
use super::{Cpu, Machine, PhysMem};
use crate::base::{PAGE_SIZE, PhysAddr, VirtAddr};

/// Width of a load or store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Size {
    /// 8 bits.
    Byte = 1,
    /// 16 bits.
    Word = 2,
    /// 32 bits.
    Dword = 4,
    /// 64 bits.
    Qword = 8,
}

impl Size {
    /// The width in bytes.
    #[inline]
    pub fn bytes(self) -> usize {
        self as usize
    }

    /// The width of this many bytes: 1, 2, 4 or 8.
    pub fn from_bytes(bytes: u64) -> Option<Size> {
        Some(match bytes {
            1 => Size::Byte,
            2 => Size::Word,
            4 => Size::Dword,
            8 => Size::Qword,
            _ => return None,
        })
    }

    #[inline]
    pub(super) fn mask(self) -> u64 {
        !0 >> (64 - 8 * self.bytes())
    }
}

/// A byte string was copied in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// Bytes copied before the fault.
    pub done: usize,
    /// Why it stopped.
    pub cause: Exception,
}

/// The physical places of an access that may cross a page: the first, and the
/// second with the number of bytes before it.
type Place = (PhysAddr, Option<(usize, PhysAddr)>);

#[inline]
fn place(
    cpu: &mut Cpu,
    mem: &mut PhysMem,
    va: VirtAddr,
    size: Size,
    access: Access,
    ring: Ring,
) -> Result<Place, Exception> {
    let room = (PAGE_SIZE - va.offset()) as usize;
    if size.bytes() <= room {
        return Ok((translate(cpu, mem, va, access, ring)?, None));
    }
    let next = VirtAddr(va.0.wrapping_add(room as u64));
    // Every byte's address is looked at before any table is.
    if cpu.cr0.contains(Cr0::PG) && !cpu.is_canonical(next.0) {
        return Err(Exception::GP);
    }
    let first = translate(cpu, mem, va, access, ring)?;
    let second = translate(cpu, mem, next, access, ring)?;
    Ok((first, Some((room, second))))
}

impl Machine {
    /// Reads `size` bytes at `va` as `ring` would.
    ///
    /// # Errors
    /// The exception of the translation.
    #[inline]
    pub fn load(
        &mut self,
        cpu: usize,
        va: VirtAddr,
        size: Size,
        ring: Ring,
    ) -> Result<u64, Exception> {
        let (first, second) =
            place(&mut self.cpus[cpu], &mut self.mem, va, size, Access::Read, ring)?;
        if second.is_none() && first.0 % 8 + size.bytes() as u64 <= 8 {
            let word = self.mem.read_u64(PhysAddr(first.0 & !7));
            return Ok(word >> (first.0 % 8 * 8) & size.mask());
        }
        let mut b = [0; 8];
        let (head, tail) = b[..size.bytes()].split_at_mut(second.map_or(size.bytes(), |s| s.0));
        self.mem.read(first, head);
        if let Some((_, at)) = second {
            self.mem.read(at, tail);
        }
        Ok(u64::from_le_bytes(b))
    }

    /// Writes the low `size` bytes of `value` at `va` as `ring` would.
    ///
    /// # Errors
    /// The exception of the translation; nothing was written.
    #[inline]
    pub fn store(
        &mut self,
        cpu: usize,
        va: VirtAddr,
        size: Size,
        value: u64,
        ring: Ring,
    ) -> Result<(), Exception> {
        let (first, second) =
            place(&mut self.cpus[cpu], &mut self.mem, va, size, Access::Write, ring)?;
        if size == Size::Qword && first.0 % 8 == 0 {
            self.mem.write_u64(first, value);
            return Ok(());
        }
        let b = value.to_le_bytes();
        let (head, tail) = b[..size.bytes()].split_at(second.map_or(size.bytes(), |s| s.0));
        self.mem.write(first, head);
        if let Some((_, at)) = second {
            self.mem.write(at, tail);
        }
        Ok(())
    }

    /// Changes the `size` bytes at `va` as one locked instruction does and gives
    /// what was there. It counts as a write, whatever it leaves there.
    ///
    /// # Errors
    /// The exception of the translation; nothing was written.
    pub fn update(
        &mut self,
        cpu: usize,
        va: VirtAddr,
        size: Size,
        ring: Ring,
        change: impl FnOnce(u64) -> u64,
    ) -> Result<u64, Exception> {
        let (first, second) =
            place(&mut self.cpus[cpu], &mut self.mem, va, size, Access::Write, ring)?;
        let (n, middle) = (size.bytes(), second.map_or(size.bytes(), |s| s.0));
        let mut b = [0; 8];
        let (head, tail) = b[..n].split_at_mut(middle);
        self.mem.read(first, head);
        if let Some((_, at)) = second {
            self.mem.read(at, tail);
        }
        let old = u64::from_le_bytes(b);
        let b = change(old).to_le_bytes();
        let (head, tail) = b[..n].split_at(middle);
        self.mem.write(first, head);
        if let Some((_, at)) = second {
            self.mem.write(at, tail);
        }
        Ok(old)
    }

    /// Reads a byte string.
    ///
    /// # Errors
    /// The exception, and how much was read before it.
    pub fn load_bytes(
        &mut self,
        cpu: usize,
        va: VirtAddr,
        buf: &mut [u8],
        ring: Ring,
    ) -> Result<(), Partial> {
        let mut done = 0;
        while done < buf.len() {
            let (at, n) = self.piece(cpu, va, done, buf.len(), Access::Read, ring)?;
            self.mem.read(at, &mut buf[done..done + n]);
            done += n;
        }
        Ok(())
    }

    /// Writes a byte string.
    ///
    /// # Errors
    /// The exception, and how much was written before it.
    pub fn store_bytes(
        &mut self,
        cpu: usize,
        va: VirtAddr,
        src: &[u8],
        ring: Ring,
    ) -> Result<(), Partial> {
        let mut done = 0;
        while done < src.len() {
            let (at, n) = self.piece(cpu, va, done, src.len(), Access::Write, ring)?;
            self.mem.write(at, &src[done..done + n]);
            done += n;
        }
        Ok(())
    }

    fn piece(
        &mut self,
        cpu: usize,
        va: VirtAddr,
        done: usize,
        len: usize,
        access: Access,
        ring: Ring,
    ) -> Result<(PhysAddr, usize), Partial> {
        let va = VirtAddr(va.0.wrapping_add(done as u64));
        let n = ((PAGE_SIZE - va.offset()) as usize).min(len - done);
        match translate(&mut self.cpus[cpu], &mut self.mem, va, access, ring) {
            Ok(at) => Ok((at, n)),
            Err(cause) => Err(Partial { done, cause }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::PagingLevels;
    use crate::machine::testing::{P, RW, Space, US};

    #[test]
    fn all_sizes_at_all_offsets() {
        let mut s = Space::new(PagingLevels::Four);
        s.map(VirtAddr(0x1000), P | US | RW);
        s.map(VirtAddr(0x2000), P | US | RW);
        for size in [1, 2, 4, 8].map(|n| Size::from_bytes(n).unwrap()) {
            for at in 0x1ff0..0x2008 {
                let v = 0xf1e2_d3c4_b5a6_9788 & size.mask();
                s.m.store_bytes(0, VirtAddr(0x1fe0), &[0; 64], Ring::User).unwrap();
                s.m.store(0, VirtAddr(at), size, v, Ring::User).unwrap();
                assert_eq!(s.m.load(0, VirtAddr(at), size, Ring::User), Ok(v));
                let mut b = [0; 64];
                s.m.load_bytes(0, VirtAddr(0x1fe0), &mut b, Ring::User).unwrap();
                assert_eq!(b.iter().filter(|&&b| b != 0).count(), size.bytes());
            }
        }
        assert_eq!(Size::from_bytes(3), None);
    }

    #[test]
    fn a_store_across_a_fault_writes_nothing() {
        let mut s = Space::new(PagingLevels::Four);
        s.map(VirtAddr(0x1000), P | US | RW);
        let at = VirtAddr(0x1ffc);
        let e = s.m.store(0, at, Size::Qword, !0, Ring::User).unwrap_err();
        assert!(matches!(e, Exception::PageFault { addr: VirtAddr(0x2000), .. }));
        assert_eq!(s.m.load(0, at, Size::Dword, Ring::User), Ok(0));
        let p = s.m.store_bytes(0, at, &[1; 8], Ring::User).unwrap_err();
        assert_eq!((p.done, p.cause), (4, e));
        assert_eq!(s.m.load(0, at, Size::Dword, Ring::User), Ok(0x0101_0101));
    }

    #[test]
    fn the_address_space_ends_somewhere() {
        let mut s = Space::new(PagingLevels::Four);
        let top = VirtAddr(u64::MAX - 3);
        assert!(s.m.load(0, top, Size::Qword, Ring::User).is_err());
        // An access that runs out of the canonical half is no page fault,
        // even though its first page is not mapped; one byte lower it is.
        let [last, beyond] = [0x7fff_ffff_fff8, 0x7fff_ffff_fff9].map(VirtAddr);
        let fault = s.m.load(0, last, Size::Qword, Ring::User).unwrap_err();
        assert!(matches!(fault, Exception::PageFault { .. }), "{fault:?}");
        assert_eq!(s.m.load(0, beyond, Size::Qword, Ring::User), Err(Exception::GP));
        let p = s.m.load_bytes(0, VirtAddr(0x7fff_ffff_f000), &mut [0; 9000], Ring::User);
        assert_eq!(p.unwrap_err().done, 0);
    }
}
