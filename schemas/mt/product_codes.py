"""Why a change of products, grants or planned tasks is refused: codes of the envelope, 4091x and 4092x."""

CODE_TAKEN = 40911
"""There is a product, source or grant of that code already."""
IN_USE = 40912
"""It cannot be deleted: something else stands on it."""
GRANT_STATE = 40913
"""The grant is in a state that has no such move."""
TASK_STATE = 40914
"""The planned task is in a state that has no such move."""
BELOW_FLOOR = 40915
"""The price is below the lowest sales price of its product."""
NOT_CONFIRMED = 40916
"""What is asked touches customers: it wants a second confirmation."""
NOT_A_BUNDLE = 40917
"""Only a bundle has sub-products, and a bundle must have some."""
FREE_USED = 40918
"""More free calls were used than would be left."""
OTHER_ENVIRONMENT = 40919
"""The other environment did not take the change, so nothing was changed here either."""
OFF_SHELF = 40920
"""The product is not on the shelf, or not to be applied for."""
PRODUCT_STATE = 40921
"""The product is in that state already."""
