//! Circles: in each folder the modules, each with all that is below it, name each other in one direction only. Parent and
//! child may name each other: a file and its folder are one module.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Module, module, modules, named_below};

/// That the first module names the second.
type Edge = (Module, Module);

/// Every edge of the sources below a folder, to the module that holds what is named.
fn edges(package: &str) -> Vec<Edge> {
    let known = modules(package);
    let mut found = Vec::new();
    for (from, paths) in named_below(package) {
        for mut to in paths {
            while !known.contains_key(&to) && !to.is_empty() {
                to.pop();
            }
            found.push((from.clone(), to));
        }
    }
    found
}

/// The edges between the children of one folder: child, child, and a file that names the other.
type Graph = BTreeMap<String, BTreeMap<String, Edge>>;

fn graph(folder: &[String], edges: &[Edge]) -> Graph {
    let child = |path: &Module| path.strip_prefix(folder)?.first().cloned();
    let mut graph = Graph::new();
    for edge in edges {
        if let (Some(from), Some(to)) = (child(&edge.0), child(&edge.1)) {
            if from != to {
                graph.entry(from).or_default().entry(to).or_insert_with(|| edge.clone());
            }
        }
    }
    graph
}

/// Everything that can be reached from a node by at least one edge.
fn reachable<'graph>(graph: &'graph Graph, from: &str) -> BTreeSet<&'graph str> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&str> = vec![from];
    while let Some(node) = next.pop() {
        for to in graph.get(node).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(to.as_str()) {
                next.push(to);
            }
        }
    }
    found
}

/// Every edge that is part of a circle, as a line of text.
fn circles(edges: &[Edge]) -> Vec<String> {
    let folders: BTreeSet<&[String]> =
        edges.iter().flat_map(|(from, _)| (0..from.len()).map(|end| &from[..end])).collect();
    let mut found = Vec::new();
    for folder in folders {
        let graph = graph(folder, edges);
        let reached: BTreeMap<&str, BTreeSet<&str>> =
            graph.keys().map(|node| (node.as_str(), reachable(&graph, node))).collect();
        for (from, to, edge) in
            graph.iter().flat_map(|(from, all)| all.iter().map(move |(to, edge)| (from, to, edge)))
        {
            if reached.get(to.as_str()).is_some_and(|back| back.contains(from.as_str())) {
                found.push(format!(
                    "`{from}` and `{to}` in `{}`: {} names {}",
                    folder.join("::"),
                    edge.0.join("::"),
                    edge.1.join("::")
                ));
            }
        }
    }
    found
}

#[test]
fn no_modules_name_each_other_in_a_circle() {
    for package in ["src", "sim/src"] {
        let circles = circles(&edges(package));
        assert!(circles.is_empty(), "{package}: circles\n{}", circles.join("\n"));
    }
}

#[test]
fn the_check_of_circles_can_fail() {
    let edges = |all: &[(&str, &str)]| -> Vec<Edge> {
        all.iter().map(|(from, to)| (module(from), module(to))).collect()
    };
    let count = |all: &[(&str, &str)]| circles(&edges(all)).len();
    assert_eq!(count(&[("a", "b"), ("b", "c"), ("a", "c")]), 0);
    assert_eq!(count(&[("a", "b"), ("b", "c"), ("c", "a"), ("a", "d")]), 3);
    // Parent and child are one.
    assert_eq!(count(&[("a", "a::b"), ("a::b", "a"), ("a::b", "c")]), 0);
    // A circle that goes through a child of one and the parent of the other.
    assert_eq!(count(&[("a::b", "c"), ("c::d", "a")]), 2);
    assert_eq!(count(&[("a::b", "a::c"), ("a::c::e", "a::b::d")]), 2);
}
