"""The toolkit of methods: look here before you write a loop that another method may have.

- `solutions`: what nearly every search needs. The solutions found so far and the answer they give, equal steps merged
  with their votes, scores that can be compared.
- `beams`: the loop of step-level beam search, for methods that keep the best of each depth.
- `monte_carlo`: the loop of Monte Carlo tree search, and evaluations of a step by score, rollouts or steps ahead.
- `arms`: the statistics of a Monte Carlo tree and the rules of selection (UCT, PUCT), for a loop of your own.
- `particles`: weighted particles, for sequential Monte Carlo.
- `resampling`: which particles live on (systematic, stratified, multinomial, residual), and the effective sample size.
- `rewriting`: prompts that criticise, rewrite or rate whole solutions, or solve with notes in mind.
- `rewinding`: a solution that is undone in part and written on in another way, token by token.
- `patterns`: the first of thousands of banned strings and regular expressions in a growing text.
"""
