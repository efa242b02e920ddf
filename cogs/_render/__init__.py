"""Records become messages: their wording lives here, but for what a command says in passing.

`battles` is what everyone sees of a battle, `votes` what a voter gets to see alone,
`privacy` is what a member is asked and told of what is kept, `settings` is for admins,
`insight` what the votes say; `layout` is what they are made of.
"""
