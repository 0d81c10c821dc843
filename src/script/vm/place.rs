//! Where a function has stopped: calls under way, each with its op, its
//! variables and its loops.
//!
//! Left out: going on; see `run`.

use std::rc::Rc;

use rhai::{Dynamic, INT, Scope};

use crate::trace::Origin;

/// What a `for` goes over.
#[derive(Debug, Clone)]
pub(super) enum Items {
    /// Not a `for`.
    None,
    /// Numbers from one to before another.
    Range(INT, INT),
    /// Values, from an index on.
    Values(Rc<[Dynamic]>, usize),
}

/// A loop under way.
#[derive(Debug, Clone)]
pub(super) struct Loop {
    pub(super) items: Items,
    /// How often a `for` has begun its body.
    pub(super) turns: INT,
    /// Where `continue` goes on.
    pub(super) again: usize,
    /// Where `break` goes on.
    pub(super) end: usize,
    /// Open blocks, variables before it, and variables when its body begins.
    pub(super) marks: usize,
    pub(super) vars: usize,
    pub(super) inside: usize,
}

/// A call under way.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Index of the function.
    pub(super) function: usize,
    /// The op that is next.
    pub(super) op: usize,
    pub(super) scope: Scope<'static>,
    /// Number of variables when each open block began.
    pub(super) marks: Vec<usize>,
    pub(super) loops: Vec<Loop>,
    /// Value of the last statement.
    pub(super) value: Dynamic,
}

impl Call {
    pub(super) fn new(function: usize, scope: Scope<'static>) -> Call {
        Call { function, op: 0, scope, marks: Vec::new(), loops: Vec::new(), value: Dynamic::UNIT }
    }
}

/// A call that waits for another one to return.
#[derive(Debug, Clone)]
pub(super) struct Below {
    pub(super) call: Call,
    pub(super) below: Option<Rc<Below>>,
}

/// A place in a function. Copies of it go on independently.
#[derive(Debug, Clone)]
pub struct Place {
    pub(super) top: Call,
    pub(super) below: Option<Rc<Below>>,
    /// Number of calls in `below`.
    pub(super) depth: usize,
    /// What `printf` keeps.
    pub(super) kept: String,
    /// Where it was asked last.
    pub(super) origin: Origin,
}

impl Place {
    /// The beginning of a function with its arguments.
    pub(super) fn begin(function: usize, scope: Scope<'static>) -> Place {
        Place {
            top: Call::new(function, scope),
            below: None,
            depth: 0,
            kept: String::new(),
            origin: Origin::default(),
        }
    }

    /// Begins a call.
    pub(super) fn push(&mut self, call: Call) {
        let caller = std::mem::replace(&mut self.top, call);
        self.below = Some(Rc::new(Below { call: caller, below: self.below.take() }));
        self.depth += 1;
    }

    /// Ends a call with a value. `false`: it was the first one, which stays.
    pub(super) fn pop(&mut self, value: Dynamic) -> bool {
        let Some(below) = self.below.take() else {
            self.top.value = value;
            return false;
        };
        let Below { call, below } = Rc::unwrap_or_clone(below);
        self.top = call;
        self.top.value = value;
        self.below = below;
        self.depth -= 1;
        true
    }
}

impl Place {
    /// All variables of all calls, and what loops go over.
    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        let mut below = self.below.as_deref();
        let rest = std::iter::from_fn(move || {
            let call = below?;
            below = call.below.as_deref();
            Some(&call.call)
        });
        std::iter::once(&self.top).chain(rest)
    }

    /// Whether a variable shares its cell with another one.
    pub(super) fn is_shared(&self) -> bool {
        self.calls().any(|call| {
            let looped = call.loops.iter().any(|l| match &l.items {
                Items::Values(values, _) => values.iter().any(is_shared),
                Items::None | Items::Range(..) => false,
            });
            looped || call.scope.iter_raw().any(|(_, _, value)| is_shared(value))
        })
    }
}

fn is_shared(value: &Dynamic) -> bool {
    if value.is_shared() {
        return true;
    }
    if let Some(array) = value.read_lock::<rhai::Array>() {
        return array.iter().any(is_shared);
    }
    if let Some(map) = value.read_lock::<rhai::Map>() {
        return map.values().any(is_shared);
    }
    value.read_lock::<rhai::FnPtr>().is_some_and(|f| f.iter_curry().any(is_shared))
}
