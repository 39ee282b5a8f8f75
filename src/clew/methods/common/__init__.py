"""The toolkit of methods: look here before you write a loop that another method may have.

- `solutions`: what nearly every search needs: the solutions found so far and the answer that they give, merging of
  equal steps with their votes, and scores that can be compared.
- `beams`: the loop of step-level beam search, for methods that keep the best of each depth.
- `monte_carlo`: the loop of Monte Carlo tree search, and evaluations of a step by its score, rollouts or steps ahead.
- `arms`: the statistics of a Monte Carlo search tree and the rules of selection (UCT, PUCT), for a loop of your own.
- `particles`: weighted particles, for sequential Monte Carlo.
- `resampling`: which particles are kept (systematic, stratified, multinomial, residual), and the effective sample size.
- `rewriting`: prompts that criticise, rewrite or rate whole solutions, or that solve the problem with notes.
- `rewinding`: token-level backtracking, which undoes the end of a solution and writes it on in another way.
- `patterns`: search for the first of thousands of banned strings and regular expressions in a text being written.
- `backtracking`: refusal of regular expressions that could take for ever to match.
"""
