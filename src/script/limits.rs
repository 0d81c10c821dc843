//! What a script may use before it is stopped: the same numbers in debug and
//! release builds, each ending in a clear error.
//!
//! Left out: wall-clock time. The same script must end the same way on a fast
//! and on a slow computer, so work is counted in operations.

/// Limits of one script run. Every field has a finite default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Operations (roughly: expressions and statements evaluated).
    pub ops: u64,
    /// Nested calls of script functions.
    pub call_levels: usize,
    /// Nesting of expressions and blocks in the file's own statements.
    pub expr_depth: usize,
    /// Nesting of expressions and blocks in function bodies.
    pub fn_expr_depth: usize,
    /// Bytes of one string, or of all strings in one array or map.
    pub string_bytes: usize,
    /// Elements of one array or blob, nested arrays included.
    pub array_len: usize,
    /// Entries of one map, nested maps included.
    pub map_len: usize,
    /// Bytes held by all variables of the running function, about.
    pub memory_bytes: usize,
    /// Variables alive at once in one function.
    pub variables: usize,
    /// Functions and closures defined in one file.
    pub functions: usize,
    /// Imported modules.
    pub modules: usize,
    /// Bytes printed.
    pub output_bytes: usize,
    /// Tasks alive at once in one machine.
    pub tasks: usize,
    /// Bytes of one source file.
    pub source_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            ops: 50_000_000,
            call_levels: 64,
            expr_depth: 128,
            fn_expr_depth: 64,
            string_bytes: 4 << 20,
            array_len: 65_536,
            map_len: 65_536,
            memory_bytes: 256 << 20,
            variables: 1_024,
            functions: 1_024,
            modules: 64,
            output_bytes: 4 << 20,
            tasks: 4_096,
            source_bytes: 1 << 20,
        }
    }
}
