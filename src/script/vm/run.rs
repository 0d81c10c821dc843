//! Going on from a place until something is asked that has no answer.
//!
//! Left out: the tape; `script::tape` reads it.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{AST, Caches, Dynamic, Engine, EvalAltResult, EvalContext, Expr, GlobalRuntimeState};
use rhai::{INT, Position, Scope, Stmt};

use super::compile::{Code, Op, Source};
use super::place::{Call, Items, Loop, Place};
use crate::script::control::Control;
use crate::session::program::Entry;
use crate::trace::Origin;

/// How far a function has come.
#[derive(Debug)]
pub enum Ran {
    /// It asks: the place before the op that does, and how many answers were
    /// to questions before that.
    Asks(Box<Place>, usize),
    /// It has returned.
    Returned(Dynamic),
    /// Something that is left to the tape.
    Unknown,
}

/// Runs the functions of a script.
pub struct Runner<'e> {
    engine: &'e Engine,
    control: &'e Control,
    code: Code,
    state: RefCell<(GlobalRuntimeState, Caches)>,
}

/// Why an op has not ended as usual.
enum Trouble {
    Asks,
    Unknown,
}

/// What an op could change before it asks.
struct Saved {
    scope: Scope<'static>,
    kept: String,
    origin: Origin,
    read: usize,
}

/// What comes after a function has returned.
pub enum End<'f> {
    /// Nothing: it is a handler.
    Nothing,
    /// What `printf` keeps is written.
    Flush,
    /// This is done with the value.
    Then(&'f dyn Fn(&Dynamic) -> Result<Dynamic, Box<EvalAltResult>>),
}

impl<'e> Runner<'e> {
    /// The functions of a script.
    pub fn new(engine: &'e Engine, control: &'e Control, ast: &AST) -> Runner<'e> {
        let mut global = engine.new_global_runtime_state();
        global.source = ast.source().map(Into::into);
        global.lib.push(ast.shared_lib().clone());
        global.embedded_module_resolver = ast.resolver().cloned();
        let state = RefCell::new((global, Caches::new()));
        Runner { engine, control, code: Code::new(ast), state }
    }

    /// The beginning of a function, if it has ops.
    pub fn begin(&self, name: &str, args: &[Dynamic]) -> Option<Place> {
        let function = self.code.find(name, args.len())?;
        Some(Place::begin(function, self.scope(function, args.iter().cloned())))
    }

    fn scope(&self, function: usize, args: impl Iterator<Item = Dynamic>) -> Scope<'static> {
        let mut scope = Scope::new();
        for (name, value) in self.code.functions[function].params.iter().zip(args) {
            scope.push_dynamic(&**name, value);
        }
        scope
    }

    /// Goes on from a place with answers.
    pub fn run(&self, mut place: Place, answers: Vec<Entry>, end: &End) -> Ran {
        let reader = self.control.tape();
        reader.begin(answers, std::mem::take(&mut place.kept), place.origin);
        loop {
            let Some(op) = self.code.op(place.top.function, place.top.op) else {
                return Ran::Unknown;
            };
            if matches!(op, Op::Finish) && (place.depth > 0 || matches!(end, End::Nothing)) {
                place.top.op += 1;
                continue;
            }
            if matches!(op, Op::Return) {
                let value = place.top.value.take().flatten();
                if !place.pop(value) {
                    return Ran::Returned(place.top.value);
                }
                continue;
            }
            let asks = op.source().is_some_and(|s| s.asks) || matches!(op, Op::Finish);
            let saved = asks.then(|| Saved {
                scope: place.top.scope.clone(),
                kept: reader.kept(),
                origin: reader.origin(),
                read: reader.read(),
            });
            let done = match op {
                Op::Finish => self.finish(&mut place, end),
                op => self.step(&mut place, op, saved.as_ref()),
            };
            match (done, saved) {
                (Ok(()), _) => {}
                (Err(Trouble::Asks), Some(saved)) => {
                    place.top.scope = saved.scope;
                    (place.kept, place.origin) = (saved.kept, saved.origin);
                    if !matches!(op, Op::Finish) {
                        place.top.value = Dynamic::UNIT;
                    }
                    // A copy of a cell that is shared would be the same cell.
                    if self.code.captures && place.is_shared() {
                        return Ran::Unknown;
                    }
                    return Ran::Asks(Box::new(place), saved.read);
                }
                (Err(_), _) => return Ran::Unknown,
            }
        }
    }

    fn step(&self, place: &mut Place, op: &Op, saved: Option<&Saved>) -> Result<(), Trouble> {
        let depth = place.depth;
        let top = &mut place.top;
        match op {
            Op::Eval(source) => {
                let result = self.eval(depth, &mut top.scope, &source.expr);
                return self.done(place, result);
            }
            Op::Fill(stmt) => {
                let stmt = filled(stmt, top.value.take()).ok_or(Trouble::Unknown)?;
                let source = Source::statement(&stmt, false);
                let result = self.eval(depth, &mut top.scope, &source.expr);
                return self.done(place, result);
            }
            Op::Branch(source, otherwise) => {
                let value = self.value(depth, &mut top.scope, &source.expr)?;
                let yes = value.as_bool().map_err(|_| Trouble::Unknown)?;
                self.go(top, if yes { top.op + 1 } else { *otherwise })?;
            }
            Op::BranchValue(otherwise) => {
                let yes = top.value.as_bool().map_err(|_| Trouble::Unknown)?;
                self.go(top, if yes { top.op + 1 } else { *otherwise })?;
            }
            Op::Jump(to) => self.go(top, *to)?,
            Op::Unit => {
                top.value = Dynamic::UNIT;
                top.op += 1;
            }
            Op::Open => {
                top.marks.push(top.scope.len());
                top.op += 1;
            }
            Op::Close => {
                let vars = top.marks.pop().ok_or(Trouble::Unknown)?;
                top.scope.rewind(vars);
                top.op += 1;
            }
            Op::Loop { again, end } => {
                begin_loop(top, Items::None, *again, *end, top.scope.len());
                top.op += 1;
            }
            Op::For { over, whole, var, counter, end } => {
                let value = self.value(depth, &mut top.scope, &over.expr)?.flatten();
                let Some(items) = items(value) else {
                    // Evaluated again, as a whole.
                    if let Some(saved) = saved {
                        top.scope = saved.scope.clone();
                        self.control.tape().read_again(saved.read, saved.kept.clone());
                    }
                    match self.eval(depth, &mut top.scope, &whole.expr) {
                        Ok(value) => (top.value, top.op) = (value, *end),
                        error => return self.done(place, error),
                    }
                    return Ok(());
                };
                let vars = top.scope.len();
                if let Some(counter) = counter {
                    top.scope.push_dynamic(&**counter, Dynamic::ZERO);
                }
                top.scope.push_dynamic(&**var, Dynamic::UNIT);
                begin_loop(top, items, top.op + 1, *end, vars);
                top.op += 1;
            }
            Op::Next { var, counter } => {
                let Some(turn) = top.loops.last_mut() else { return Err(Trouble::Unknown) };
                let Some(item) = turn.items.next() else {
                    end_loop(top, Dynamic::UNIT);
                    return Ok(());
                };
                let turns = turn.turns;
                turn.turns += 1;
                if let Some(counter) = counter {
                    set(&mut top.scope, counter, turns.into());
                }
                set(&mut top.scope, var, item.flatten());
                top.op += 1;
            }
            Op::EndLoop => end_loop(top, Dynamic::UNIT),
            Op::Call(args, function) => {
                let args = self.value(depth, &mut top.scope, &args.expr)?;
                let args = args.into_array().map_err(|_| Trouble::Unknown)?;
                if depth + 1 >= self.engine.max_call_levels()
                    || self.code.functions[*function].ops.is_none()
                {
                    return Err(Trouble::Unknown);
                }
                top.op += 1;
                place.push(Call::new(*function, self.scope(*function, args.into_iter())));
            }
            Op::Finish | Op::Return => {}
        }
        Ok(())
    }

    /// The first function has returned.
    fn finish(&self, place: &mut Place, end: &End) -> Result<(), Trouble> {
        match end {
            End::Nothing => {}
            End::Flush if self.control.tape().flush() => {}
            End::Flush => return Err(Trouble::Asks),
            End::Then(then) => {
                place.top.value = then(&place.top.value).map_err(|_| self.trouble())?;
            }
        }
        place.top.op += 1;
        Ok(())
    }

    /// Goes elsewhere. Going back is counted, so that a loop that does nothing
    /// ends too.
    fn go(&self, top: &mut Call, to: usize) -> Result<(), Trouble> {
        if to <= top.op && self.control.tick().is_some() {
            return Err(Trouble::Unknown);
        }
        top.op = to;
        Ok(())
    }

    fn eval(
        &self,
        depth: usize,
        scope: &mut Scope<'static>,
        expr: &Expr,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut state = self.state.borrow_mut();
        let (global, caches) = &mut *state;
        global.level = depth + 1;
        // Of a function's body: constants in it are its own.
        global.scope_level = 1;
        global.always_search_scope = false;
        let mut context = EvalContext::new(self.engine, global, caches, scope, None);
        #[allow(deprecated, reason = "volatile, not deprecated: rhai is pinned")]
        let value = context.eval_expression_tree_raw(&expr.into(), false)?;
        // `print` does not look whether it was answered.
        match self.control.tape().is_over() {
            true => Err(EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into()),
            false => Ok(value),
        }
    }

    fn value(
        &self,
        depth: usize,
        scope: &mut Scope<'static>,
        expr: &Expr,
    ) -> Result<Dynamic, Trouble> {
        self.eval(depth, scope, expr).map_err(|_| self.trouble())
    }

    fn trouble(&self) -> Trouble {
        if self.control.tape().is_over() { Trouble::Asks } else { Trouble::Unknown }
    }

    /// An op was evaluated.
    fn done(
        &self,
        place: &mut Place,
        result: Result<Dynamic, Box<EvalAltResult>>,
    ) -> Result<(), Trouble> {
        let top = &mut place.top;
        match result {
            Ok(value) => {
                top.value = value;
                top.op += 1;
                return Ok(());
            }
            Err(_) if self.control.tape().is_over() => return Err(Trouble::Asks),
            Err(e) => match *e {
                EvalAltResult::Return(value, _) => {
                    top.value = value;
                    // The last two are Finish and Return.
                    let ops = self.code.functions[top.function].ops.as_ref();
                    top.op = ops.map_or(0, |ops| ops.len().saturating_sub(2));
                }
                EvalAltResult::LoopBreak(true, value, _) if !top.loops.is_empty() => {
                    end_loop(top, value);
                }
                EvalAltResult::LoopBreak(false, ..) => {
                    let Some(turn) = top.loops.last() else { return Err(Trouble::Unknown) };
                    let (again, marks, vars) = (turn.again, turn.marks, turn.inside);
                    top.marks.truncate(marks);
                    top.scope.rewind(vars);
                    self.go(top, again)?;
                }
                _ => return Err(Trouble::Unknown),
            },
        }
        Ok(())
    }
}

impl Op {
    fn source(&self) -> Option<&Source> {
        match self {
            Op::Eval(source) | Op::Branch(source, _) | Op::Call(source, _) => Some(source),
            Op::For { whole, .. } => Some(whole),
            _ => None,
        }
    }
}

fn set(scope: &mut Scope, name: &str, value: Dynamic) {
    if let Some(slot) = scope.get_mut(name) {
        *slot = value;
    }
}

/// `vars`: how many variables there were before those of the loop.
fn begin_loop(top: &mut Call, items: Items, again: usize, end: usize, vars: usize) {
    let (marks, inside) = (top.marks.len(), top.scope.len());
    top.loops.push(Loop { items, turns: 0, again, end, marks, vars, inside });
}

fn end_loop(top: &mut Call, value: Dynamic) {
    if let Some(ended) = top.loops.pop() {
        top.marks.truncate(ended.marks);
        top.scope.rewind(ended.vars);
        top.op = ended.end;
    }
    top.value = value;
}

/// What a `for` goes over, if it is known here.
fn items(value: Dynamic) -> Option<Items> {
    if let Some(range) = value.read_lock::<std::ops::Range<INT>>() {
        return Some(Items::Range(range.start, range.end));
    }
    if value.is_array() {
        return Some(Items::Values(Rc::from(value.into_array().ok()?), 0));
    }
    None
}

impl Items {
    fn next(&mut self) -> Option<Dynamic> {
        match self {
            Items::None => None,
            Items::Range(next, end) => (*next < *end).then(|| {
                *next += 1;
                Dynamic::from(*next - 1)
            }),
            Items::Values(values, next) => {
                *next += 1;
                values.get(*next - 1).cloned()
            }
        }
    }
}

/// A statement with a value in place of the call that gave it.
fn filled(stmt: &Stmt, value: Dynamic) -> Option<Stmt> {
    let mut stmt = stmt.clone();
    let hole = match &mut stmt {
        Stmt::Var(parts, ..) => &mut parts.1,
        Stmt::Assignment(parts) => &mut parts.1.rhs,
        _ => return None,
    };
    *hole = Expr::DynamicConstant(Box::new(value), hole.position());
    Some(stmt)
}
