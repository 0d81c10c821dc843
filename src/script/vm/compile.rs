//! Functions of a script as ops.
//!
//! Left out: functions with closures that capture variables, with imports or
//! exports: they have no ops.

use std::collections::{BTreeMap, HashMap};

use rhai::{AST, ASTFlags, ASTNode, Expr, FlowControl, FnCallExpr, Position, Stmt, StmtBlock};

/// One step of a function.
#[derive(Debug)]
pub(super) enum Op {
    /// The engine evaluates it; its value becomes the call's.
    Eval(Source),
    /// Goes on elsewhere if it is false.
    Branch(Source, usize),
    /// The same with the call's value.
    BranchValue(usize),
    /// Goes on elsewhere.
    Jump(usize),
    /// The call's value becomes `()`.
    Unit,
    /// A block begins or ends.
    Open,
    Close,
    /// A loop begins, whose `continue` and `break` go on there.
    Loop {
        again: usize,
        end: usize,
    },
    /// A `for` begins. If it goes over something else than numbers or an
    /// array, `whole` is evaluated and `end` is next.
    For {
        over: Source,
        whole: Source,
        var: Box<str>,
        counter: Option<Box<str>>,
        end: usize,
    },
    /// The next turn of a `for`, or its end.
    Next {
        var: Box<str>,
        counter: Option<Box<str>>,
    },
    /// A loop has ended by itself.
    EndLoop,
    /// Another function of the script begins with the values of an array.
    Call(Source, usize),
    /// The call's value goes where the statement takes it.
    Fill(Box<Stmt>),
    /// The function ends with the call's value.
    Return,
    /// What `printf` keeps is written at the end of the first function.
    Finish,
}

/// What the engine evaluates.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) expr: Expr,
    /// Whether it could ask for something.
    pub(super) asks: bool,
}

impl Source {
    /// `quiet`: whether what is in [`QUIET`] is the engine's.
    fn new(expr: Expr, quiet: bool) -> Source {
        let asks = asks(&expr, quiet);
        Source { expr, asks }
    }

    pub(super) fn statement(stmt: &Stmt, quiet: bool) -> Source {
        let block = StmtBlock::new([stmt.clone()], Position::NONE, Position::NONE);
        Source::new(Expr::Stmt(Box::new(block)), quiet)
    }
}

/// A function.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) params: Vec<Box<str>>,
    /// `None`: it is left to the tape.
    pub(super) ops: Option<Vec<Op>>,
}

/// All functions of a script.
#[derive(Debug)]
pub struct Code {
    /// In the order of their names.
    pub(super) functions: Vec<Function>,
    by_name: HashMap<(Box<str>, usize), usize>,
    /// Whether a function of the script makes variables that are shared with
    /// closures.
    pub(super) captures: bool,
}

impl Code {
    /// The functions of a script.
    pub fn new(ast: &AST) -> Code {
        let mut named: Vec<(Box<str>, usize)> =
            ast.iter_functions().map(|f| (f.name.into(), f.params.len())).collect();
        named.sort_unstable();
        // Methods for different types may have the same name.
        let several: Vec<_> =
            named.windows(2).filter(|w| w[0] == w[1]).map(|w| w[0].clone()).collect();
        named.dedup();
        let by_name: HashMap<_, _> = named.iter().cloned().zip(0..).collect();
        let mut shares = false;
        let quiet = !named.iter().any(|(name, _)| QUIET.contains(&&**name));
        let functions = named.iter().map(|key| {
            let def = ast.shared_lib().get_script_fn(&*key.0, key.1);
            let params =
                def.map_or(Vec::new(), |d| d.params.iter().map(|p| p.as_str().into()).collect());
            let known = def.is_some_and(|d| d.this_type.is_none()) && !several.contains(key);
            let body = if known { statements(ast, key) } else { Vec::new() };
            let captures = !known || body.iter().any(captures);
            shares |= captures;
            let ops = (!captures).then(|| {
                let mut to = Compiler { by_name: &by_name, quiet, ops: Vec::new() };
                to.all(&body);
                to.ops.extend([Op::Finish, Op::Return]);
                to.ops
            });
            Function { params, ops }
        });
        Code { functions: functions.collect(), captures: shares, by_name }
    }

    /// The function that is called so, if it has ops.
    pub(super) fn find(&self, name: &str, params: usize) -> Option<usize> {
        let i = *self.by_name.get(&(name.into(), params))?;
        self.functions.get(i)?.ops.as_ref().map(|_| i)
    }

    /// The op that is next in a call.
    pub(super) fn op(&self, function: usize, op: usize) -> Option<&Op> {
        self.functions.get(function)?.ops.as_ref()?.get(op)
    }
}

/// The statements of all functions by their names.
pub(in crate::script) fn bodies(ast: &AST) -> BTreeMap<String, Vec<Vec<Stmt>>> {
    let mut found: BTreeMap<String, Vec<Vec<Stmt>>> = BTreeMap::new();
    for f in ast.iter_functions() {
        let body = statements(ast, &(f.name.into(), f.params.len()));
        found.entry(f.name.to_string()).or_default().push(body);
    }
    found
}

/// The statements of a function. The engine shows them only to those who walk
/// over the whole script.
fn statements(ast: &AST, (name, params): &(Box<str>, usize)) -> Vec<Stmt> {
    // `clone_functions_only_filtered` of rhai 1.27 does not filter.
    let mut one = ast.clone_functions_only();
    one.retain_functions(|_, _, n, p| n == &**name && p == *params);
    let mut found = Vec::new();
    one.walk(&mut |path: &[ASTNode]| {
        if let [ASTNode::Stmt(stmt)] = path {
            found.push((*stmt).clone());
        }
        true
    });
    found
}

/// Whether a statement, or a part of it, does what ops cannot.
fn captures(stmt: &Stmt) -> bool {
    let mut found = false;
    stmt.walk(&mut Vec::new(), &mut |path| {
        let last = path.last();
        found |= matches!(
            last,
            Some(ASTNode::Stmt(Stmt::Share(..) | Stmt::Import(..) | Stmt::Export(..)))
        );
        !found
    });
    found
}

/// Whether evaluating an expression could ask for something: any call but an
/// operator's could, and any property.
fn asks(expr: &Expr, quiet: bool) -> bool {
    let quiet = |call: &FnCallExpr| quiet && QUIET.contains(&call.name.as_str());
    let mut found = false;
    expr.walk(&mut Vec::new(), &mut |path| {
        found |= match path.last() {
            Some(ASTNode::Expr(e)) => match e {
                Expr::FnCall(call, _) => !call.is_operator_call(),
                Expr::MethodCall(call, _) => !quiet(call),
                Expr::Dot(parts, ..) => {
                    !matches!(&parts.rhs, Expr::MethodCall(call, _) if quiet(call))
                }
                Expr::Index(..) | Expr::Custom(..) => true,
                _ => false,
            },
            Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => !call.is_operator_call(),
            _ => false,
        };
        !found
    });
    found
}

/// Functions of the engine that a script's function of that name is not.
const KEYWORDS: &[&str] = &[
    "call",
    "curry",
    "Fn",
    "eval",
    "is_def_fn",
    "is_def_var",
    "type_of",
    "print",
    "debug",
    "is_shared",
    "this",
];

/// Methods of arrays, maps and strings, none of which asks for anything: what
/// they change need not be kept for the case that they do.
const QUIET: &[&str] = &["push", "pop", "shift", "insert", "len", "is_empty", "contains"];

struct Compiler<'a> {
    by_name: &'a HashMap<(Box<str>, usize), usize>,
    /// The script has no function of a name in [`QUIET`].
    quiet: bool,
    ops: Vec<Op>,
}

impl Compiler<'_> {
    fn here(&self) -> usize {
        self.ops.len()
    }

    fn add(&mut self, op: Op) -> usize {
        self.ops.push(op);
        self.ops.len() - 1
    }

    fn all(&mut self, statements: &[Stmt]) {
        if statements.is_empty() {
            self.add(Op::Unit);
        }
        for stmt in statements {
            self.statement(stmt);
        }
    }

    fn nested(&mut self, block: &StmtBlock) {
        if block.is_empty() {
            self.add(Op::Unit);
            return;
        }
        self.add(Op::Open);
        self.all(block.statements());
        self.add(Op::Close);
    }

    /// The function of the script that an expression calls, with the
    /// arguments.
    fn called(&self, call: &FnCallExpr) -> Option<(usize, Source)> {
        if call.is_operator_call()
            || call.is_qualified()
            || call.capture_parent_scope
            || KEYWORDS.contains(&call.name.as_str())
        {
            return None;
        }
        let key = (call.name.as_str().into(), call.args.len());
        let function = *self.by_name.get(&key)?;
        let args = call.args.iter().cloned().collect();
        Some((function, Source::new(Expr::Array(args, Position::NONE), self.quiet)))
    }

    /// If an expression is a call of a function of the script, begins it.
    fn calls(&mut self, expr: &Expr) -> bool {
        let Expr::FnCall(call, _) = expr else { return false };
        let Some((function, args)) = self.called(call) else { return false };
        self.add(Op::Call(args, function));
        true
    }

    fn statement(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Noop(..) => {
                self.add(Op::Unit);
            }
            Stmt::Block(block) => self.nested(block),
            Stmt::If(flow, _) => self.decide(flow),
            Stmt::While(flow, _) => self.repeat(flow),
            Stmt::Do(flow, flags, _) => self.repeat_first(flow, !flags.contains(ASTFlags::NEGATED)),
            Stmt::For(parts, _) => {
                let (var, counter, flow) = &**parts;
                let name = |ident: &rhai::Ident| Box::<str>::from(ident.name.as_str());
                self.each(stmt, name(var), counter.as_ref().map(name), flow);
            }
            Stmt::FnCall(call, _) => match self.called(call) {
                Some((function, args)) => {
                    self.add(Op::Call(args, function));
                }
                None => {
                    self.add(Op::Eval(Source::statement(stmt, self.quiet)));
                }
            },
            Stmt::Expr(expr) if self.calls(expr) => {}
            Stmt::Var(parts, ..) if self.calls(&parts.1) => self.fill(stmt),
            Stmt::Assignment(parts)
                if matches!(parts.1.lhs, Expr::Variable(..)) && self.calls(&parts.1.rhs) =>
            {
                self.fill(stmt);
            }
            Stmt::Return(Some(expr), flags, _)
                if !flags.contains(ASTFlags::BREAK) && self.calls(expr) =>
            {
                self.add(Op::Return);
            }
            _ => {
                self.add(Op::Eval(Source::statement(stmt, self.quiet)));
            }
        }
    }

    fn fill(&mut self, stmt: &Stmt) {
        self.add(Op::Fill(Box::new(stmt.clone())));
    }

    /// Adds a branch that is taken when a condition is false; where it goes is
    /// told later.
    fn branch(&mut self, condition: &Expr) -> usize {
        match self.calls(condition) {
            true => self.add(Op::BranchValue(0)),
            false => self.add(Op::Branch(Source::new(condition.clone(), self.quiet), 0)),
        }
    }

    fn lands(&mut self, jump: usize, at: usize) {
        match &mut self.ops[jump] {
            Op::Branch(_, to) | Op::BranchValue(to) | Op::Jump(to) => *to = at,
            Op::Loop { end, .. } | Op::For { end, .. } => *end = at,
            _ => {}
        }
    }

    fn decide(&mut self, flow: &FlowControl) {
        let no = self.branch(&flow.expr);
        self.nested(&flow.body);
        let over = self.add(Op::Jump(0));
        let here = self.here();
        self.lands(no, here);
        self.nested(&flow.branch);
        let here = self.here();
        self.lands(over, here);
    }

    fn repeat(&mut self, flow: &FlowControl) {
        let begin = self.add(Op::Loop { again: self.ops.len() + 1, end: 0 });
        let again = self.here();
        let always = matches!(flow.expr, Expr::Unit(..) | Expr::BoolConstant(true, ..));
        let no = (!always).then(|| self.branch(&flow.expr));
        self.nested(&flow.body);
        self.add(Op::Jump(again));
        if let Some(no) = no {
            let here = self.here();
            self.lands(no, here);
        }
        self.add(Op::EndLoop);
        let here = self.here();
        self.lands(begin, here);
    }

    /// `do { … } while` or `until`. `continue` begins the body again without a
    /// look at the condition, as the engine does.
    fn repeat_first(&mut self, flow: &FlowControl, while_true: bool) {
        let begin = self.add(Op::Loop { again: self.ops.len() + 1, end: 0 });
        let again = self.here();
        self.nested(&flow.body);
        let no = self.branch(&flow.expr);
        if while_true {
            self.add(Op::Jump(again));
            let here = self.here();
            self.lands(no, here);
        } else {
            self.lands(no, again);
        }
        self.add(Op::EndLoop);
        let here = self.here();
        self.lands(begin, here);
    }

    fn each(&mut self, stmt: &Stmt, var: Box<str>, counter: Option<Box<str>>, flow: &FlowControl) {
        let begin = self.add(Op::For {
            over: Source::new(flow.expr.clone(), self.quiet),
            whole: Source::statement(stmt, self.quiet),
            var: var.clone(),
            counter: counter.clone(),
            end: 0,
        });
        let again = self.add(Op::Next { var, counter });
        self.nested(&flow.body);
        self.add(Op::Jump(again));
        let here = self.here();
        self.lands(begin, here);
    }
}
