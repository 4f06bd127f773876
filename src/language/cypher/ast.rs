//! The syntax tree: what the text says, names unresolved, with the bytes each part came from.

use super::token::Span;

#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub mode: Mode,
    pub query: Query,
}

/// What the caller wants: the rows, or the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Run,
    /// Shows the plan and runs nothing.
    Explain,
    /// Runs and shows the plan with its figures.
    Profile,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub first: SingleQuery,
    pub unions: Vec<Union>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Union {
    /// `UNION ALL`: duplicates are kept.
    pub all: bool,
    pub span: Span,
    pub query: SingleQuery,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SingleQuery {
    pub clauses: Vec<Clause>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    pub kind: ClauseKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ClauseKind {
    Use(Name),
    Match { optional: bool, patterns: Vec<Pattern>, filter: Option<Expr> },
    Unwind { list: Expr, variable: Name },
    LoadCsv(LoadCsv),
    With(Projection),
    Return(Projection),
    Create(Vec<Pattern>),
    Merge { pattern: Pattern, on_match: Vec<SetItem>, on_create: Vec<SetItem> },
    Set(Vec<SetItem>),
    Remove(Vec<RemoveItem>),
    Delete { detach: bool, entities: Vec<Expr> },
    Foreach { variable: Name, list: Expr, clauses: Vec<Clause> },
    Call(Call),
    Subquery(SubqueryCall),
}

/// `LOAD CSV WITH HEADERS FROM source AS variable FIELDTERMINATOR separator`
#[derive(Clone, Debug, PartialEq)]
pub struct LoadCsv {
    pub has_headers: bool,
    pub source: Expr,
    pub variable: Name,
    /// One ASCII character; a comma unless the text says otherwise.
    pub separator: u8,
}

/// `CALL name(...) YIELD ...`
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// `OPTIONAL`: a row for which nothing is yielded is kept.
    pub optional: bool,
    pub procedure: Name,
    /// `None`: no parentheses; the arguments are the parameters of the same names.
    pub arguments: Option<Vec<Expr>>,
    pub yields: Option<Yields>,
}

/// `CALL { ... }`
#[derive(Clone, Debug, PartialEq)]
pub struct SubqueryCall {
    /// `OPTIONAL`: a row for which nothing is returned is kept.
    pub optional: bool,
    pub imports: Imports,
    pub query: Query,
    pub transactions: Option<Transactions>,
}

/// Which names of the query around it a subquery sees.
#[derive(Clone, Debug, PartialEq)]
pub enum Imports {
    /// `CALL { WITH x, y ... }`: those of the WITH that each of its queries may begin with.
    Leading,
    /// `CALL (x, y) { ... }`
    Names(Vec<Name>),
    /// `CALL (*) { ... }`
    All,
}

/// `IN n CONCURRENT TRANSACTIONS OF rows ROWS ON ERROR ... REPORT STATUS AS status`
#[derive(Clone, Debug, PartialEq)]
pub struct Transactions {
    pub concurrency: Option<Expr>,
    pub rows: Option<Expr>,
    pub on_error: OnError,
    pub status: Option<Name>,
    pub span: Span,
}

/// What becomes of a statement when a part of it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    Fail,
    Continue,
    Break,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Yields {
    All(Span),
    Items { items: Vec<YieldItem>, filter: Option<Expr> },
}

#[derive(Clone, Debug, PartialEq)]
pub struct YieldItem {
    pub field: Name,
    pub alias: Option<Name>,
}

/// The body of WITH and RETURN.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    pub distinct: bool,
    /// `*` stands first.
    pub star: bool,
    pub items: Vec<Item>,
    pub order: Vec<OrderItem>,
    pub skip: Option<Expr>,
    pub limit: Option<Expr>,
    /// WITH only.
    pub filter: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub expression: Expr,
    /// The alias, else the expression as written.
    pub name: String,
    pub has_alias: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OrderItem {
    pub expression: Expr,
    pub descending: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum SetItem {
    /// `target.key = value`
    Property {
        target: Expr,
        key: Name,
        value: Expr,
    },
    /// `variable = value`, or `+=` if not `replace`
    Properties {
        variable: Name,
        value: Expr,
        replace: bool,
    },
    Labels {
        variable: Name,
        labels: Vec<Name>,
    },
    /// `variable:$(expression)`
    DynamicLabels {
        variable: Name,
        labels: Expr,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum RemoveItem {
    Property { target: Expr, key: Name },
    Labels { variable: Name, labels: Vec<Name> },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    pub text: String,
    pub span: Span,
}

/// One path of a pattern: a node, then steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    pub variable: Option<Name>,
    pub search: Search,
    pub start: NodePattern,
    pub steps: Vec<Step>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Every path.
    All,
    Shortest,
    AllShortest,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub link: Link,
    pub node: NodePattern,
}

/// What leads from one node of a path to the next.
#[derive(Clone, Debug, PartialEq)]
pub enum Link {
    Relationship(RelationshipPattern),
    Quantified(QuantifiedPattern),
}

/// `((a)-[r]->(b) WHERE ...){1,3}`, and `-[r]->{1,3}`, which is that with nameless nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantifiedPattern {
    pub pattern: Box<Pattern>,
    pub filter: Option<Expr>,
    pub min: u32,
    /// `None`: no upper bound.
    pub max: Option<u32>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NodePattern {
    pub variable: Option<Name>,
    pub labels: Option<LabelExpression>,
    /// A map, or a parameter.
    pub properties: Option<Expr>,
    pub filter: Option<Expr>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RelationshipPattern {
    pub variable: Option<Name>,
    /// Any of these; any at all, if empty.
    pub types: Vec<Name>,
    pub direction: Direction,
    pub length: Option<Length>,
    /// A map, or a parameter.
    pub properties: Option<Expr>,
    pub filter: Option<Expr>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Right,
    Left,
    /// No arrowhead.
    Either,
    /// Both arrowheads; reads as no arrowhead does.
    Both,
}

/// `*`, `*2`, `*1..`, `*..3`, `*1..3`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    pub min: Option<u32>,
    pub max: Option<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum LabelExpression {
    Label(Name),
    /// `%`: some label.
    Any,
    Not(Box<LabelExpression>),
    And(Vec<LabelExpression>),
    Or(Vec<LabelExpression>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(String),
    Parameter(String),
    Variable(String),
    List(Vec<Expr>),
    Map(Vec<(Name, Expr)>),
    Property(Box<Expr>, Name),
    Index(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, Option<Box<Expr>>, Option<Box<Expr>>),
    HasLabels(Box<Expr>, LabelExpression),
    Not(Box<Expr>),
    Minus(Box<Expr>),
    Plus(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `a < b <= c`: each neighbour compared, all true.
    Comparison(Box<Expr>, Vec<(Comparison, Expr)>),
    IsNull {
        operand: Box<Expr>,
        negated: bool,
    },
    /// A function, its name in lower case with its namespace.
    Call {
        function: String,
        distinct: bool,
        arguments: Vec<Expr>,
    },
    CountStar,
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<(Vec<Expr>, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    ListComprehension {
        variable: Name,
        list: Box<Expr>,
        filter: Option<Box<Expr>>,
        map: Option<Box<Expr>>,
    },
    PatternComprehension {
        pattern: Box<Pattern>,
        filter: Option<Box<Expr>>,
        map: Box<Expr>,
    },
    Quantifier {
        kind: QuantifierKind,
        variable: Name,
        list: Box<Expr>,
        condition: Option<Box<Expr>>,
    },
    Reduce {
        accumulator: Name,
        init: Box<Expr>,
        variable: Name,
        list: Box<Expr>,
        step: Box<Expr>,
    },
    Pattern(Box<Pattern>),
    Subquery(SubqueryKind, Box<Query>),
    MapProjection {
        variable: Name,
        items: Vec<ProjectionItem>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Xor,
    In,
    StartsWith,
    EndsWith,
    Contains,
    Matches,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantifierKind {
    All,
    Any,
    None,
    Single,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubqueryKind {
    Exists,
    Count,
    Collect,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ProjectionItem {
    /// `.key`
    Property(Name),
    /// `.*`
    AllProperties,
    /// `name`
    Variable(Name),
    /// `key: expression`
    Entry(Name, Expr),
}

impl Pattern {
    /// Returns the nodes from left to right.
    pub fn nodes(&self) -> impl Iterator<Item = &NodePattern> {
        std::iter::once(&self.start).chain(self.steps.iter().map(|step| &step.node))
    }

    /// Returns the relationships that are not quantified, from left to right.
    pub fn relationships(&self) -> impl Iterator<Item = &RelationshipPattern> {
        self.steps.iter().filter_map(|step| match &step.link {
            Link::Relationship(relationship) => Some(relationship),
            Link::Quantified(_) => None,
        })
    }

    pub fn quantified(&self) -> impl Iterator<Item = &QuantifiedPattern> {
        self.steps.iter().filter_map(|step| match &step.link {
            Link::Relationship(_) => None,
            Link::Quantified(quantified) => Some(quantified),
        })
    }

    /// Returns the names of its nodes, relationships and of the path, some perhaps twice.
    pub fn names(&self) -> Vec<&Name> {
        let nodes = self.nodes().filter_map(|node| node.variable.as_ref());
        let relationships = self.relationships().filter_map(|relationship| relationship.variable.as_ref());
        let groups = self.quantified().flat_map(|quantified| quantified.pattern.names());
        nodes.chain(relationships).chain(groups).chain(&self.variable).collect()
    }
}

impl ClauseKind {
    pub fn writes(&self) -> bool {
        use ClauseKind::*;
        match self {
            Create(_) | Merge { .. } | Set(_) | Remove(_) | Delete { .. } | Foreach { .. } => true,
            Subquery(call) => call.query.writes(),
            _ => false,
        }
    }
}

impl SingleQuery {
    /// Returns the names that a leading WITH imports into the subquery that this is; `None` if it
    /// begins with no such WITH, and so sees nothing of what is around it.
    pub fn imported(&self) -> Option<&Projection> {
        let ClauseKind::With(projection) = &self.clauses.first()?.kind else { return None };
        let is_name =
            |item: &Item| matches!(&item.expression.kind, ExprKind::Variable(name) if *name == item.name);
        let Projection { distinct, star: _, items, order, skip, limit, filter } = projection;
        let is_plain = !distinct && order.is_empty() && skip.is_none() && limit.is_none() && filter.is_none();
        (is_plain && items.iter().all(is_name)).then_some(projection)
    }
}

impl Query {
    /// Returns the queries that UNION joins, in order.
    pub fn parts(&self) -> impl Iterator<Item = &SingleQuery> {
        std::iter::once(&self.first).chain(self.unions.iter().map(|union| &union.query))
    }

    /// Returns whether it has columns: it ends in RETURN.
    pub fn returns(&self) -> bool {
        let last = self.first.clauses.last();
        last.is_some_and(|clause| matches!(clause.kind, ClauseKind::Return(_)))
    }

    pub fn writes(&self) -> bool {
        self.parts().any(|part| part.clauses.iter().any(|clause| clause.kind.writes()))
    }
}

impl Expr {
    /// Calls `visit` for each direct operand; patterns' properties included, subqueries' parts not.
    pub fn for_each_operand<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr)) {
        use ExprKind::*;
        match &self.kind {
            Null | Boolean(_) | Integer(_) | Float(_) | String(_) | Parameter(_) | Variable(_)
            | CountStar => {}
            Subquery(..) => {}
            List(items) | And(items) | Or(items) | Call { arguments: items, .. } => {
                items.iter().for_each(visit)
            }
            Map(entries) => entries.iter().for_each(|(_, value)| visit(value)),
            Property(inner, _) | HasLabels(inner, _) | Not(inner) | Minus(inner) | Plus(inner) => {
                visit(inner)
            }
            IsNull { operand, .. } => visit(operand),
            Index(a, b) | Binary(_, a, b) => {
                visit(a);
                visit(b);
            }
            Slice(list, from, to) => {
                visit(list);
                from.iter().chain(to).for_each(|bound| visit(bound));
            }
            Comparison(first, rest) => {
                visit(first);
                rest.iter().for_each(|(_, operand)| visit(operand));
            }
            Case { operand, branches, otherwise } => {
                operand.iter().for_each(|operand| visit(operand));
                for (conditions, result) in branches {
                    conditions.iter().for_each(&mut *visit);
                    visit(result);
                }
                otherwise.iter().for_each(|otherwise| visit(otherwise));
            }
            ListComprehension { list, filter, map, .. } => {
                visit(list);
                filter.iter().chain(map).for_each(|part| visit(part));
            }
            Quantifier { list, condition, .. } => {
                visit(list);
                condition.iter().for_each(|condition| visit(condition));
            }
            Reduce { init, list, step, .. } => [init, list, step].into_iter().for_each(|part| visit(part)),
            PatternComprehension { pattern, filter, map } => {
                pattern.for_each_expression(visit);
                filter.iter().for_each(|filter| visit(filter));
                visit(map);
            }
            Pattern(pattern) => pattern.for_each_expression(visit),
            MapProjection { items, .. } => {
                for item in items {
                    if let ProjectionItem::Entry(_, value) = item {
                        visit(value);
                    }
                }
            }
        }
    }

    /// Returns whether this or any operand, at any depth, satisfies `test`.
    pub fn any(&self, test: &dyn Fn(&Expr) -> bool) -> bool {
        let mut found = test(self);
        if !found {
            self.for_each_operand(&mut |operand| found = found || operand.any(test));
        }
        found
    }

    /// Returns whether the two say the same, wherever they stand.
    pub fn is_same(&self, other: &Expr) -> bool {
        self.without_spans() == other.without_spans()
    }

    fn without_spans(&self) -> String {
        // The debug form minus spans: compared only, never shown.
        let text = format!("{:?}", self.kind);
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find("Span {") {
            out.push_str(&rest[..at]);
            rest = rest[at..].split_once('}').map_or("", |(_, rest)| rest);
        }
        out + rest
    }
}

impl Pattern {
    fn for_each_expression<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr)) {
        for node in self.nodes() {
            node.properties.iter().chain(&node.filter).for_each(&mut *visit);
        }
        for relationship in self.relationships() {
            relationship.properties.iter().chain(&relationship.filter).for_each(&mut *visit);
        }
        for quantified in self.quantified() {
            quantified.pattern.for_each_expression(visit);
            quantified.filter.iter().for_each(&mut *visit);
        }
    }
}
