using KafkaEventSourcing;

namespace Library;

/// <summary>The rules of a member, who may owe fines.</summary>
public static class Member
{
    public static AggregateDefinition<MemberState> Definition { get; } = AggregateDefinition
        .Define("member", new MemberState { IsRegistered = false, Owes = 0 })
        .Decides<RegisterMember>((member, register) => member.IsRegistered
            ? Decision.Reject("already-registered", "The member is registered already.")
            : Decision.Accept(new MemberRegistered { Name = register.Name }))
        .Decides<ChargeFine>((member, charge) => member.IsRegistered && charge.Cents > 0
            ? Decision.Accept(new FineCharged { Cents = charge.Cents })
            : Decision.Reject("invalid-fine", $"A fine of {charge.Cents} cannot be charged.", ("registered", member.IsRegistered)))
        .Decides<PayFine>((member, pay) => pay.Cents > 0 && pay.Cents <= member.Owes
            ? Decision.Accept(new FinePaid { Cents = pay.Cents })
            : Decision.Reject("invalid-payment", $"{pay.Cents} are paid, {member.Owes} are owed.", ("owes", member.Owes)))
        .Evolves<MemberRegistered>((member, _) => member with { IsRegistered = true })
        .Evolves<FineCharged>((member, charged) => member with { Owes = member.Owes + charged.Cents })
        .Evolves<FinePaid>((member, paid) => member with { Owes = member.Owes - paid.Cents })
        .Build();
}
