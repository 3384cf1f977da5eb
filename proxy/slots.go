package proxy

// Slots bound the sessions of several servers together. More connections wait
// in the system's queue.
type Slots struct{ taken chan struct{} }

// NewSlots returns slots for at most n sessions at once.
func NewSlots(n int) *Slots { return &Slots{taken: make(chan struct{}, n)} }

// take waits for a slot; false says that stop was closed first.
func (s *Slots) take(stop <-chan struct{}) bool {
	select {
	case s.taken <- struct{}{}:
		return true
	case <-stop:
		return false
	}
}

func (s *Slots) free() { <-s.taken }
